package tlog

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tile is a piece of the tree, 256 hashes wide, or a bundle of up to 256 entries
// (L == -1), as it lies on the shelf (C2SP tlog-tiles).
type Tile = tlog.Tile

// TileHeight is the height of a tile: 2^8 hashes wide.
const TileHeight = 8

// TilePath gives a tile's path below the log's address, such as "tile/0/x001/067".
func TilePath(t Tile) string {
	if t.L == -1 {
		return "tile/entries/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/data/", TileHeight))
	}
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", TileHeight))
}

// ParseTilePath reads a path that TilePath gives, ErrTile for any other.
func ParseTilePath(path string) (Tile, error) {
	inner, data := strings.CutPrefix(path, "tile/entries/")
	if data {
		inner = fmt.Sprintf("tile/%d/data/", TileHeight) + inner
	} else {
		rest, ok := strings.CutPrefix(path, "tile/")
		if !ok {
			return Tile{}, ErrTile
		}
		inner = fmt.Sprintf("tile/%d/", TileHeight) + rest
	}
	t, err := tlog.ParseTilePath(inner)
	if err != nil || t.L > 63 || TilePath(t) != path {
		return Tile{}, ErrTile
	}
	return t, nil
}

// NewTiles lists the tiles of hashes and the bundles of entries that appear when
// a log grows from one size to another: those that are full, and the partial ones
// at its new end.
func NewTiles(from, to int64) []Tile {
	tiles := tlog.NewTiles(TileHeight, from, to)
	for _, t := range tlog.NewTiles(TileHeight, from, to) {
		if t.L == 0 {
			t.L = -1
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// ReadTile gives the content of a tile of hashes.
func ReadTile(t Tile, r Reader) ([]byte, error) {
	if t.L < 0 || t.H != TileHeight {
		return nil, ErrTile
	}
	return tlog.ReadTileData(t, r)
}

// TileOf gives the tile that holds a stored hash.
func TileOf(index int64) Tile { return tlog.TileForIndex(TileHeight, index) }

// HashOf gives a stored hash out of its tile (TileOf), of which data is the
// content or more of it.
func HashOf(t Tile, data []byte, index int64) (Hash, error) {
	if len(data) < t.W*len(Hash{}) {
		return Hash{}, ErrTile
	}
	return tlog.HashFromTile(t, data[:t.W*len(Hash{})], index)
}

// Holds reports whether a log of this size has a tile, or a bundle, as wide.
func Holds(size int64, t Tile) bool {
	if t.H != TileHeight || t.L < -1 || t.L > 63/TileHeight || t.N < 0 || t.W < 1 {
		return false
	}
	have := size >> (TileHeight * max(t.L, 0)) // hashes of this level
	return t.N <= (have-int64(t.W))>>TileHeight
}

// Cut gives the content of a partial tile or bundle out of one that grew on.
func Cut(t Tile, data []byte) ([]byte, error) {
	if t.L >= 0 {
		if len(data) < t.W*len(Hash{}) {
			return nil, ErrTile
		}
		return data[:t.W*len(Hash{})], nil
	}
	rest := data
	for range t.W {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return nil, ErrTile
		}
		rest = rest[2+int(binary.BigEndian.Uint16(rest)):]
	}
	return data[:len(data)-len(rest)], nil
}

// maxEntry is the longest entry that a bundle holds, in bytes.
const maxEntry = 1<<16 - 1

// Bundle gives the content of a bundle of entries.
func Bundle(entries [][]byte) ([]byte, error) {
	if len(entries) == 0 || len(entries) > 1<<TileHeight {
		return nil, ErrTile
	}
	var out []byte
	for _, e := range entries {
		if len(e) > maxEntry {
			return nil, ErrEntry
		}
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(e))), e...)
	}
	return out, nil
}

// ParseBundle reads a bundle of exactly n entries.
func ParseBundle(b []byte, n int) ([][]byte, error) {
	if n < 1 || n > 1<<TileHeight {
		return nil, ErrTile
	}
	out := make([][]byte, 0, n)
	for range n {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, ErrTile
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		out, b = append(out, b[2:end:end]), b[end:]
	}
	if len(b) != 0 {
		return nil, ErrTile
	}
	return out, nil
}

// EntryBundle gives the bundle that holds an entry in a log of this size.
func EntryBundle(index, size int64) Tile {
	n := index >> TileHeight
	return Tile{H: TileHeight, L: -1, N: n, W: int(min(size-n<<TileHeight, 1<<TileHeight))}
}

// EntryOf gives an entry out of its bundle.
func EntryOf(bundle []byte, index int64) ([]byte, error) {
	for range index & (1<<TileHeight - 1) {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return nil, ErrTile
		}
		bundle = bundle[2+int(binary.BigEndian.Uint16(bundle)):]
	}
	if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
		return nil, ErrTile
	}
	return bundle[2 : 2+int(binary.BigEndian.Uint16(bundle))], nil
}
