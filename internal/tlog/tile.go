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

const tileHeight = 8

// TilePath gives a tile's path below the log's address, such as "tile/0/x001/067".
func TilePath(t Tile) string {
	if t.L == -1 {
		return "tile/entries/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/data/", tileHeight))
	}
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// ParseTilePath reads a path that TilePath gives, ErrTile for any other.
func ParseTilePath(path string) (Tile, error) {
	inner, data := strings.CutPrefix(path, "tile/entries/")
	if data {
		inner = fmt.Sprintf("tile/%d/data/", tileHeight) + inner
	} else {
		rest, ok := strings.CutPrefix(path, "tile/")
		if !ok {
			return Tile{}, ErrTile
		}
		inner = fmt.Sprintf("tile/%d/", tileHeight) + rest
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
	tiles := tlog.NewTiles(tileHeight, from, to)
	for _, t := range tlog.NewTiles(tileHeight, from, to) {
		if t.L == 0 {
			t.L = -1
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// ReadTile gives the content of a tile of hashes.
func ReadTile(t Tile, r Reader) ([]byte, error) {
	if t.L < 0 || t.H != tileHeight {
		return nil, ErrTile
	}
	return tlog.ReadTileData(t, r)
}

// maxEntry is the longest entry that a bundle holds, in bytes.
const maxEntry = 1<<16 - 1

// Bundle gives the content of a bundle of entries.
func Bundle(entries [][]byte) ([]byte, error) {
	if len(entries) == 0 || len(entries) > 1<<tileHeight {
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
	if n < 1 || n > 1<<tileHeight {
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
