package cli

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// lookout reads the public shelf of every replica and keeps what it saw. It knows
// the published formats and uses the software of others: x/mod for the ledger,
// jwx for what is signed.
type lookout struct {
	*siege
	keys   jwk.Set
	ledger note.Verifiers

	mu    sync.Mutex
	roots map[int64]tlog.Hash // of every checkpoint, by size
	size  int64               // the largest
	lists map[publication]*published
	slots map[string]time.Time // newest of each list
}

// publication is one list as of one slot.
type publication struct {
	path string
	slot time.Time
}

// published is what such a publication says, whoever gave it.
type published struct {
	body   [sha256.Size]byte
	bits   []byte // of a bitstring list; two of each place of a token list
	logged int64  // entries that the ledger had when this was fetched
}

// look begins to look, with the keys that are published.
func look(s *siege) *lookout {
	s.Helper()
	l := &lookout{siege: s, roots: map[int64]tlog.Hash{}, lists: map[publication]*published{}, slots: map[string]time.Time{}}
	base := "http://" + s.replicas[0].address
	var err error
	l.keys, err = jwk.Parse(fetch(s.T, base+"/.well-known/jwks.json"))
	s.must(err)
	var key struct {
		Origin string `json:"origin"`
		JWK    struct {
			X string `json:"x"`
		} `json:"publicKeyJwk"`
	}
	mustParse(s.T, fetch(s.T, base+"/ledger/key"), &key)
	raw, err := base64.RawURLEncoding.DecodeString(key.JWK.X)
	s.must(err)
	text, err := note.NewEd25519VerifierKey(key.Origin, ed25519.PublicKey(raw))
	s.must(err)
	v, err := note.NewVerifier(text)
	s.must(err)
	l.ledger = note.VerifierList(v)
	return l
}

// errGone says that a replica did not answer: it was killed.
var errGone = errors.New("no answer")

func (l *lookout) get(r *replica, path string) ([]byte, error) {
	a, err := l.send(r, request{method: "GET", path: path})
	if err != nil || l.broken && a.status >= 500 {
		return nil, errGone
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%s: %d %s", path, a.status, a.body)
	}
	return a.body, nil
}

// failed tells of an error that is not a replica's death.
func (l *lookout) failed(err error) bool {
	if err != nil && !errors.Is(err, errGone) {
		l.Error(err)
	}
	return err != nil
}

// checkpoint reads the newest checkpoint of a replica: it is no smaller than any
// that was seen before from whichever, and of one size there is one.
func (l *lookout) checkpoint(r *replica) (tlog.Tree, error) {
	l.mu.Lock()
	before := l.size
	l.mu.Unlock()
	body, err := l.get(r, "/ledger/checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	n, err := note.Open(body, l.ledger)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if size < before {
		return tlog.Tree{}, fmt.Errorf("the checkpoint went back from %d to %d", before, size)
	}
	if old, ok := l.roots[size]; ok && old != root {
		return tlog.Tree{}, fmt.Errorf("two checkpoints of %d entries", size)
	}
	l.roots[size], l.size = root, max(l.size, size)
	return tlog.Tree{N: size, Hash: root}, nil
}

// tiles reads the ledger's tiles from a replica, for x/mod.
type tiles struct {
	*lookout
	from *replica
}

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, x := range list {
		b, err := t.get(t.from, "/ledger/tile/"+strings.TrimPrefix(x.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads one bundle of entries, so many wide.
func (t tiles) entries(n int64, width int) ([][]byte, error) {
	x := tlog.Tile{H: 8, L: -1, N: n, W: width}
	b, err := t.get(t.from, "/ledger/tile/entries/"+strings.TrimPrefix(x.Path(), "tile/8/data/"))
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for len(b) >= 2 {
		size := 2 + (int(b[0])<<8 | int(b[1]))
		if len(b) < size {
			break
		}
		out, b = append(out, b[2:size]), b[size:]
	}
	if len(b) > 0 || len(out) != width {
		return nil, fmt.Errorf("a bundle of %d entries has %d", width, len(out))
	}
	return out, nil
}

// followLedger reads checkpoints from one replica and proves with the tiles of
// another that each goes on from the one before, and that an entry is in it.
func (l *lookout) followLedger(lot *rand.Rand, stop chan struct{}) {
	var last tlog.Tree
	for ; !done(stop); time.Sleep(time.Duration(lot.IntN(20)) * time.Millisecond) {
		tree, err := l.checkpoint(l.any(lot))
		if l.failed(err) || tree.N == 0 {
			continue
		}
		from := tiles{l, l.any(lot)}
		r := tlog.TileHashReader(tree, from)
		if last.N > 0 && last.N <= tree.N {
			proof, err := tlog.ProveTree(tree.N, last.N, r)
			if l.failed(err) {
				continue
			}
			if err := tlog.CheckTree(proof, tree.N, tree.Hash, last.N, last.Hash); err != nil {
				l.Errorf("the checkpoint of %d entries does not go on from that of %d", tree.N, last.N)
			}
		}
		last = tree
		n := lot.Int64N(tree.N)
		list, err := from.entries(n>>8, int(min(256, tree.N-n>>8<<8)))
		if l.failed(err) {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, n, r)
		if l.failed(err) {
			continue
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(list[n&255])); err != nil {
			l.Errorf("entry %d is not in the tree of %d", n, tree.N)
		}
	}
}

func done(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// followLists reads the lists of random replicas.
func (l *lookout) followLists(lot *rand.Rand, stop chan struct{}) {
	for ; !done(stop); time.Sleep(time.Duration(lot.IntN(60)) * time.Millisecond) {
		paths, err := l.listed(l.any(lot))
		if l.failed(err) {
			continue
		}
		for range min(4, len(paths)) {
			l.failed(l.list(l.any(lot), paths[lot.IntN(len(paths))]))
		}
	}
}

// lookOnce reads everything from every replica.
func (l *lookout) lookOnce() {
	l.Helper()
	for _, r := range l.replicas {
		_, err := l.checkpoint(r)
		l.must(err)
		paths, err := l.listed(r)
		l.must(err)
		for _, p := range paths {
			l.must(l.list(r, p))
		}
	}
}

// listed gives the paths of the lists that a replica names.
func (l *lookout) listed(r *replica) ([]string, error) {
	body, err := l.get(r, "/status")
	if err != nil {
		return nil, err
	}
	var index struct {
		Lists []string `json:"lists"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, err
	}
	var out []string
	for _, address := range index.Lists {
		path, ok := strings.CutPrefix(address, l.public)
		if !ok {
			return nil, fmt.Errorf("a list at %s", address)
		}
		out = append(out, path)
	}
	return out, nil
}

// list reads one list: it is signed, no older than any that was seen before from
// whichever replica, and of one slot there is one.
func (l *lookout) list(r *replica, path string) error {
	l.mu.Lock()
	before, logged := l.slots[path], l.size
	l.mu.Unlock()
	body, err := l.get(r, path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	payload, err := jws.Verify(body, jws.WithKeySet(l.keys, jws.WithInferAlgorithmFromKey(true)))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	at, packed, err := readList(payload)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.Before(before) && !l.broken { // without its database a replica shows what it has
		return fmt.Errorf("%s went back from %s to %s", path, before, at)
	}
	if !at.Equal(at.Truncate(siegePublish)) {
		return fmt.Errorf("%s was published at %s", path, at)
	}
	if at.After(l.slots[path]) {
		l.slots[path] = at
	}
	key := publication{path, at}
	if have := l.lists[key]; have != nil {
		have.logged = max(have.logged, logged)
		if have.body != sum {
			return fmt.Errorf("%s as of %s was published twice", path, at)
		}
		return nil
	}
	bits, err := packed()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l.lists[key] = &published{sum, bits, logged}
	return nil
}

// readList reads a BitstringStatusListCredential or a Token Status List: its time
// and its bits.
func readList(payload []byte) (at time.Time, bits func() ([]byte, error), err error) {
	var x struct {
		From    time.Time `json:"validFrom"`
		Subject struct {
			List string `json:"encodedList"`
		} `json:"credentialSubject"`
		Issued int64 `json:"iat"`
		Token  struct {
			List string `json:"lst"`
		} `json:"status_list"`
	}
	if err := json.Unmarshal(payload, &x); err != nil {
		return at, nil, err
	}
	if x.Token.List != "" {
		return time.Unix(x.Issued, 0).UTC(), func() ([]byte, error) { return unpacked(x.Token.List, zlib.NewReader) }, nil
	}
	return x.From, func() ([]byte, error) {
		return unpacked(strings.TrimPrefix(x.Subject.List, "u"), func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) })
	}, nil
}

func unpacked(text string, by func(io.Reader) (io.ReadCloser, error)) ([]byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	z, err := by(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// bit reads a bitstring list (Bitstring Status List 1.0, section 3.2).
func (p *published) bit(index int64) bool { return p.bits[index/8]>>(7-index%8)&1 == 1 }

// token reads a Token Status List of two bits each (section 4.1).
func (p *published) token(index int64) byte { return p.bits[index/4] >> (index % 4 * 2) & 3 }

// purpose gives what a list says and its number.
func (p publication) purpose() (string, int64) {
	parts := strings.Split(p.path, "/")
	n, _ := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	return parts[len(parts)-2], n
}
