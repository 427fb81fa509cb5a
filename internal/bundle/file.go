// Package bundle is the file in which a border bundle travels: a signed manifest
// and the parts that its root speaks for. The same bytes are mapped into memory by
// a post, fetched in pieces over HTTP and carried on a USB stick; FORMAT.md says
// what they are.
//
// Nothing here knows what the parts mean, except that those named sets/… and
// issued/… are sets of places, whose changes are written as changes of sets. Who
// may sign a bundle, and what is in it, is for package check to judge.
package bundle

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Limits of a bundle. What is beyond them is refused unread.
const (
	// MaxSize bounds the file of a bundle, and that of a delta, in bytes.
	MaxSize = 64 << 20
	// MaxHead bounds what stands before the parts.
	MaxHead = 4 << 20

	maxParts  = 4096
	maxName   = 512
	maxSigned = 16 << 10 // the manifest
)

// Errors of bundles. None repeats its input.
var (
	// ErrFile: the bytes are not the file of a bundle, or not all of it.
	ErrFile = fault.New(fault.Invalid, "bundle-file", "not the file of a border bundle that can be read")
	// ErrShort: this may be the beginning of a bundle; more bytes are needed.
	ErrShort = fault.New(fault.Invalid, "bundle-cut", "the file of the border bundle is cut off")
	// ErrSignature: the manifest is not signed with this key.
	ErrSignature = fault.New(fault.Invalid, "bundle-signature", "the border bundle is not signed with the key of its hub")
	// ErrRoot: the table of parts is not the one that was signed.
	ErrRoot = fault.New(fault.Invalid, "bundle-root", "the parts of the border bundle are not those that were signed")
	// ErrPart: a part is damaged. Its detail names the part.
	ErrPart = fault.New(fault.Invalid, "bundle-part", "a part of the border bundle is damaged")
	// ErrParts: parts or a header that no bundle can hold.
	ErrParts = fault.New(fault.Invalid, "bundle-parts", "these parts cannot be put into a border bundle")
)

// Header is what a manifest says beside its root. Sequence only ever grows;
// CreatedAt has whole seconds. TrustList is the sequence of the trust list.
type Header struct {
	ID        string
	Sequence  int64
	CreatedAt time.Time
	TrustList int64
}

// Part is one part of a bundle.
type Part struct {
	Name  string
	Bytes []byte
}

// PartInfo is a row of the table of parts.
type PartInfo struct {
	Name   string
	Size   int64
	SHA256 [32]byte
}

// Manifest is what the hub signed. Root is over the table of parts, which stands
// beside it.
type Manifest struct {
	Header
	KID   string // the hub's key
	Parts int
	Root  [32]byte
	JWS   string // as it was signed

	split *vc.JWS
}

// manifest is the signed JSON.
type manifest struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"createdAt"`
	TrustList int64     `json:"trustList"`
	Parts     int       `json:"parts"`
	Root      string    `json:"root"`
}

var b64 = base64.RawURLEncoding.Strict()

// OpenManifest reads a signed manifest. Nothing of it is to be believed before
// Verify.
func OpenManifest(jws string) (*Manifest, error) {
	v, err := vc.SplitLargeJWS(jws, maxSigned)
	if err != nil {
		return nil, ErrFile.With(err)
	}
	if v.Header.Typ != vc.TypBundle {
		return nil, ErrFile.With(vc.ErrType)
	}
	var m manifest
	if err := vc.StrictJSON(v.PayloadUnverified(), &m, 4); err != nil {
		return nil, ErrFile.With(err)
	}
	root, err := b64.DecodeString(m.Root)
	h := Header{m.ID, m.Sequence, m.CreatedAt, m.TrustList}
	if err != nil || len(root) != 32 || m.Parts < 1 || m.Parts > maxParts || !h.good() {
		return nil, ErrFile.With(err)
	}
	return &Manifest{Header: h, KID: v.Header.Kid, Parts: m.Parts, Root: [32]byte(root), JWS: jws, split: v}, nil
}

func (h *Header) good() bool {
	return h.ID != "" && len(h.ID) <= 64 && h.Sequence > 0 && h.TrustList > 0 && !h.CreatedAt.IsZero()
}

// Verify checks the hub's signature (ErrSignature).
func (m *Manifest) Verify(hub crypto.PublicKey) error {
	if _, err := m.split.Verify(hub); err != nil {
		return ErrSignature.With(err)
	}
	return nil
}

// Digest identifies a bundle: it is the SHA-256 of what the hub signed, which
// does not change when it is signed once more.
func (m *Manifest) Digest() [32]byte {
	return sha256.Sum256([]byte(m.JWS[:bytes.LastIndexByte([]byte(m.JWS), '.')]))
}

const (
	fileMagic = "KPB2\n\x00\x00\x00"
	fileStart = 16 // of the manifest
	rowStart  = 42 // of the name in a row of the table
)

// IsFile reports whether data begins as the file of a bundle does.
func IsFile(data []byte) bool { return bytes.HasPrefix(data, []byte(fileMagic)) }

// File is the file of a bundle, taken apart.
type File struct {
	*Manifest
	Table []PartInfo

	data   []byte
	starts []int64
	names  map[string]int
}

// padded gives a length filled up to 8 bytes.
func padded[T int | int64](n T) T { return (n + 7) &^ 7 }

// ReadHead reads what stands before the parts, from the beginning of a file. head
// is its length. ErrShort asks for more bytes, of which MaxHead are enough. The
// table is held against the root, and nothing else is to be believed yet.
func ReadHead(prefix []byte) (m *Manifest, table []PartInfo, head int64, err error) {
	if len(prefix) < fileStart {
		return nil, nil, 0, short(bytes.HasPrefix([]byte(fileMagic), prefix[:min(len(prefix), len(fileMagic))]) || IsFile(prefix))
	}
	signed, rows := int(binary.LittleEndian.Uint32(prefix[8:])), int(binary.LittleEndian.Uint32(prefix[12:]))
	if !IsFile(prefix) || signed > maxSigned || rows < 1 || rows > maxParts {
		return nil, nil, 0, ErrFile
	}
	at := fileStart + signed
	if len(prefix) < padded(at) {
		return nil, nil, 0, ErrShort
	}
	if m, err = OpenManifest(string(prefix[fileStart:at])); err != nil {
		return nil, nil, 0, err
	}
	if m.Parts != rows || !zeros(prefix[at:padded(at)]) {
		return nil, nil, 0, ErrFile
	}
	at = padded(at)
	for range rows {
		if len(prefix) < at+rowStart {
			return nil, nil, 0, ErrShort
		}
		size, name := binary.LittleEndian.Uint64(prefix[at+32:]), int(binary.LittleEndian.Uint16(prefix[at+40:]))
		if size > MaxSize || name > maxName {
			return nil, nil, 0, ErrFile
		}
		if len(prefix) < at+rowStart+name {
			return nil, nil, 0, ErrShort
		}
		p := PartInfo{Name: string(prefix[at+rowStart : at+rowStart+name]), Size: int64(size), SHA256: [32]byte(prefix[at:])}
		if !goodName(p.Name) {
			return nil, nil, 0, ErrFile
		}
		table = append(table, p)
		at += rowStart + name
	}
	if len(prefix) < padded(at) {
		return nil, nil, 0, ErrShort
	}
	if !zeros(prefix[at:padded(at)]) {
		return nil, nil, 0, ErrFile
	}
	if root(table) != m.Root {
		return nil, nil, 0, ErrRoot
	}
	return m, table, int64(padded(at)), nil
}

func short(begun bool) error {
	if begun {
		return ErrShort
	}
	return ErrFile
}

func goodName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func zeros(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Open takes the file of a bundle apart; it keeps file, which may be mapped, and
// nobody may change it. The table is held against the root; that it was signed,
// and that the parts are whole, is for Verify.
func Open(file []byte) (*File, error) {
	if len(file) > MaxSize {
		return nil, ErrFile
	}
	m, table, at, err := ReadHead(file)
	if err != nil {
		return nil, err
	}
	f := &File{Manifest: m, Table: table, data: file, starts: make([]int64, len(table)), names: make(map[string]int, len(table))}
	for i := range table {
		if _, twice := f.names[table[i].Name]; twice {
			return nil, ErrFile
		}
		f.names[table[i].Name], f.starts[i] = i, at
		end := at + table[i].Size
		if padded(end) > int64(len(file)) {
			return nil, ErrShort
		}
		if !zeros(file[end:padded(end)]) {
			return nil, ErrFile
		}
		at = padded(end)
	}
	if at != int64(len(file)) {
		return nil, ErrFile
	}
	return f, nil
}

// Verify checks the hub's signature, and each part by its hash. The error names
// the part that is damaged.
func (f *File) Verify(hub crypto.PublicKey) error {
	if err := f.Manifest.Verify(hub); err != nil {
		return err
	}
	for i := range f.Table {
		if sha256.Sum256(f.part(i)) != f.Table[i].SHA256 {
			return ErrPart.WithDetail("a part of the border bundle is damaged: " + f.Table[i].Name)
		}
	}
	return nil
}

func (f *File) part(i int) []byte {
	end := f.starts[i] + f.Table[i].Size
	return f.data[f.starts[i]:end:end]
}

// Part gives a part where it lies; false if there is none of this name.
func (f *File) Part(name string) ([]byte, bool) {
	i, ok := f.names[name]
	if !ok {
		return nil, false
	}
	return f.part(i), true
}

// Bytes gives the whole file.
func (f *File) Bytes() []byte { return f.data }

// Good gives how many bytes at the beginning of a file that is not all there are
// the head and whole parts, by the head's own word: a download goes on from
// there. 0 is nothing.
func Good(prefix []byte) int64 {
	_, table, at, err := ReadHead(prefix)
	if err != nil {
		return 0
	}
	for i := range table {
		end := at + table[i].Size
		if padded(end) > int64(len(prefix)) || !zeros(prefix[end:padded(end)]) || sha256.Sum256(prefix[at:end]) != table[i].SHA256 {
			break
		}
		at = padded(end)
	}
	return at
}

// row gives a part's row of the table: its leaf below the root.
func (p *PartInfo) row(out []byte) []byte {
	out = append(out, p.SHA256[:]...)
	out = binary.LittleEndian.AppendUint64(out, uint64(p.Size))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(p.Name)))
	return append(out, p.Name...)
}

func root(table []PartInfo) [32]byte {
	leaves := make([][]byte, len(table))
	for i := range table {
		leaves[i] = table[i].row(nil)
	}
	return Root(leaves)
}

// Root gives the root of the Merkle tree over leaves (RFC 9162, section 2.1.1).
func Root(leaves [][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	left, right := Root(leaves[:k]), Root(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// assemble lays out a file around a signed manifest.
func assemble(jws string, table []PartInfo, parts []Part) []byte {
	size := padded(int64(fileStart + len(jws)))
	rows := int64(0)
	for i := range table {
		rows += rowStart + int64(len(table[i].Name))
	}
	size += padded(rows)
	for i := range parts {
		size += padded(int64(len(parts[i].Bytes)))
	}
	out := make([]byte, 0, size)
	out = append(out, fileMagic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(jws)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(table)))
	out = pad(append(out, jws...))
	for i := range table {
		out = table[i].row(out)
	}
	out = pad(out)
	for i := range parts {
		out = pad(append(out, parts[i].Bytes...))
	}
	return out
}

func pad(b []byte) []byte { return append(b, make([]byte, padded(len(b))-len(b))...) }

// tabled gives the table of parts, or ErrParts if no file can hold them.
func tabled(parts []Part) ([]PartInfo, error) {
	if len(parts) < 1 || len(parts) > maxParts {
		return nil, ErrParts.WithDetail("a border bundle has 1 to 4096 parts")
	}
	table := make([]PartInfo, len(parts))
	total, rows := int64(0), 0
	seen := make(map[string]bool, len(parts))
	for i, p := range parts {
		if !goodName(p.Name) || seen[p.Name] {
			return nil, ErrParts.WithDetail("two parts have one name, or a name cannot be used")
		}
		seen[p.Name] = true
		table[i] = PartInfo{p.Name, int64(len(p.Bytes)), sha256.Sum256(p.Bytes)}
		total += padded(table[i].Size)
		rows += rowStart + len(p.Name)
	}
	if head := fileStart + maxSigned + rows + 16; head > MaxHead || total+int64(head) > MaxSize {
		return nil, ErrParts.WithDetail("the border bundle is too large for a post to open")
	}
	return table, nil
}
