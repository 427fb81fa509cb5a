package tlog

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is a promise about a log: its first Size entries have this root
// (C2SP tlog-checkpoint). Origin names the log: its address without the scheme.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// maxCheckpoint bounds a signed checkpoint, in bytes: 64 cosignatures and room.
const maxCheckpoint = 16 << 10

// Text gives the text that is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// parseText reads the text of a checkpoint in its one spelling. Lines that
// extend it are refused: nothing of ours writes them.
func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(Hash{}) {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{lines[0], size, Hash(root)}
	if c.Text() != text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// Algorithms of note keys (C2SP signed-note).
const (
	algLog         = 1 // Ed25519, of a log
	algCosignature = 4 // Ed25519 with a time, of a witness (C2SP tlog-cosignature)
)

// keyHash names a key in a signature's line.
func keyHash(name string, alg byte, key ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{alg})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// signer signs checkpoints with a key that may be sealed elsewhere.
type signer struct {
	name string
	hash uint32
	sign func(text []byte) ([]byte, error)
}

func (s *signer) Name() string                     { return s.name }
func (s *signer) KeyHash() uint32                  { return s.hash }
func (s *signer) Sign(text []byte) ([]byte, error) { return s.sign(text) }
func ed(key crypto.Signer) (ed25519.PublicKey, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a ledger signs with Ed25519, not with %T", key.Public())
	}
	return pub, nil
}

// LogSigner signs checkpoints as the log of that origin; key is Ed25519.
func LogSigner(origin string, key crypto.Signer) (note.Signer, error) {
	pub, err := ed(key)
	if err != nil {
		return nil, err
	}
	return &signer{origin, keyHash(origin, algLog, pub), func(text []byte) ([]byte, error) {
		return key.Sign(rand.Reader, text, crypto.Hash(0))
	}}, nil
}

// WitnessSigner cosigns checkpoints: it says that it saw this one at a time, and
// no other that contradicts it. Whoever calls it has made sure of that
// (CheckConsistency) and kept the checkpoint first.
func WitnessSigner(name string, key crypto.Signer, now func() time.Time) (note.Signer, error) {
	pub, err := ed(key)
	if err != nil {
		return nil, err
	}
	return &signer{name, keyHash(name, algCosignature, pub), func(text []byte) ([]byte, error) {
		at := now().Unix()
		sig, err := key.Sign(rand.Reader, cosigned(at, text), crypto.Hash(0))
		if err != nil {
			return nil, err
		}
		return append(binary.BigEndian.AppendUint64(nil, uint64(at)), sig...), nil
	}}, nil
}

func cosigned(at int64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
}

// Verifier is a key that a log or a witness signs with.
type Verifier struct {
	Name    string
	key     ed25519.PublicKey
	hash    uint32
	witness bool
}

// LogVerifier and WitnessVerifier make verifiers from names and keys of a trust
// list.
func LogVerifier(origin string, key ed25519.PublicKey) Verifier {
	return Verifier{origin, key, keyHash(origin, algLog, key), false}
}

func WitnessVerifier(name string, key ed25519.PublicKey) Verifier {
	return Verifier{name, key, keyHash(name, algCosignature, key), true}
}

// verify gives the time that a witness signed; the zero time for a log.
func (v Verifier) verify(text, sig []byte) (time.Time, bool) {
	if !v.witness {
		return time.Time{}, len(sig) == ed25519.SignatureSize && ed25519.Verify(v.key, text, sig)
	}
	if len(sig) != 8+ed25519.SignatureSize {
		return time.Time{}, false
	}
	at := int64(binary.BigEndian.Uint64(sig))
	if at < 0 || !ed25519.Verify(v.key, cosigned(at, text), sig[8:]) {
		return time.Time{}, false
	}
	return time.Unix(at, 0).UTC(), true
}

// Sign gives the signed checkpoint (C2SP signed-note).
func Sign(c Checkpoint, signers ...note.Signer) ([]byte, error) {
	text := c.Text()
	if _, err := parseText(text); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: text}, signers...)
}

// Policy says what a checkpoint must carry to be believed: the log's own
// signature, and those of Quorum different witnesses.
type Policy struct {
	Log       Verifier
	Witnesses []Verifier
	Quorum    int
}

// Signed is a checkpoint with the signatures that a policy knows.
type Signed struct {
	Checkpoint
	// Seen tells when each witness saw it, by the witness's name.
	Seen map[string]time.Time
}

// Open reads a signed checkpoint and holds it against the policy. A signature by
// a known key that does not hold is ErrUnsigned even where others suffice;
// unknown keys are passed over.
func (p Policy) Open(signed []byte) (Signed, error) {
	text, lines, err := split(signed)
	if err != nil {
		return Signed{}, err
	}
	c, err := parseText(text)
	if err != nil {
		return Signed{}, err
	}
	if c.Origin != p.Log.Name {
		return Signed{}, ErrCheckpoint
	}
	out, own := Signed{c, map[string]time.Time{}}, false
	for _, l := range lines {
		for _, v := range append([]Verifier{p.Log}, p.Witnesses...) {
			if v.Name != l.name || v.hash != l.hash || v.key == nil {
				continue
			}
			at, ok := v.verify([]byte(text), l.sig)
			if !ok {
				return Signed{}, ErrUnsigned
			}
			if v.witness {
				out.Seen[v.Name] = at
			} else {
				own = true
			}
		}
	}
	if !own || len(out.Seen) < p.Quorum || p.Quorum < 0 {
		return Signed{}, ErrUnsigned
	}
	return out, nil
}

type signature struct {
	name string
	hash uint32
	sig  []byte
}

// split divides a signed note into its text and its signatures.
func split(signed []byte) (string, []signature, error) {
	s := string(signed)
	i := strings.LastIndex(s, "\n\n")
	if len(s) > maxCheckpoint || i < 0 || !strings.HasSuffix(s, "\n") {
		return "", nil, ErrCheckpoint
	}
	var out []signature
	for line := range strings.Lines(s[i+2:]) {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— ")
		name, text, two := strings.Cut(rest, " ")
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || !two || err != nil || len(b) < 5 || name == "" {
			return "", nil, ErrCheckpoint
		}
		out = append(out, signature{name, binary.BigEndian.Uint32(b), b[4:]})
	}
	if len(out) == 0 || len(out) > 64 {
		return "", nil, ErrCheckpoint
	}
	return s[:i+1], out, nil
}

// Cosign adds a signature to a signed checkpoint that was opened before.
func Cosign(signed []byte, s note.Signer) ([]byte, error) {
	text, _, err := split(signed)
	if err != nil {
		return nil, err
	}
	line, err := Cosignature(text, s)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(nil), signed...), line...), nil
}

// Cosignature gives the line that a witness answers with (C2SP tlog-witness).
func Cosignature(text string, s note.Signer) (string, error) {
	sig, err := s.Sign([]byte(text))
	if err != nil {
		return "", err
	}
	return "— " + s.Name() + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, s.KeyHash()), sig...)) + "\n", nil
}
