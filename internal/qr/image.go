//go:build !js

// The officer's browser unpacks and checks; it draws nothing and scans with its
// own reader, so the WebAssembly build leaves this file out.

package qr

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"strings"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/kinpass/kinpass/internal/fault"
)

// Medium is where a code is shown; it decides how large it may be.
type Medium int

// Media. The zero Medium is none, and Draw refuses it.
const (
	Screen Medium = iota + 1 // up to version 22
	Paper                    // up to version 15 at level Q, or 18 at level M
)

// Level is how much of a code may be unreadable (ISO/IEC 18004): L about 7 %,
// M 15 %, Q 25 %, H 30 %.
type Level int

// Levels of error correction. The zero Level is none.
const (
	L Level = iota + 1
	M
	Q
	H
)

func (l Level) String() string {
	if l < L || l > H {
		return "?"
	}
	return "LMQH"[l-1 : l]
}

// ErrDraw says that there is nothing to draw, or no medium or level to draw it
// for.
var ErrDraw = fault.New(fault.Invalid, "qr-not-drawable", "not a text that can be drawn as a QR code")

// quietZone is the white margin that a reader needs, in modules (ISO/IEC 18004).
const quietZone = 4

// Image is a drawn QR code. Each module is one bit; the quiet zone of four
// modules is part of it.
type Image struct {
	Version int // 1 to 40; the code has 17+4·Version modules a side
	Level   Level
	modules [][]bool // rows, true is black, with the quiet zone
}

// limit is the largest version that a medium takes at a level.
type limit struct {
	level   Level
	version int
}

// limits lists what is tried for a medium, in order.
func limits(m Medium) []limit {
	switch m {
	case Screen:
		return []limit{{H, 22}, {Q, 22}, {M, 22}, {L, 22}}
	case Paper:
		return []limit{{Q, 15}, {M, 18}}
	}
	return nil
}

// Draw draws KP1 text at the highest level of error correction at which it is
// small enough for the medium. It returns ErrTooLarge, which says what to leave
// out, when none is.
func Draw(text string, m Medium) (*Image, error) {
	tries := limits(m)
	if len(tries) == 0 || !strings.HasPrefix(text, prefix) {
		return nil, ErrDraw
	}
	for _, try := range tries {
		c, err := qrcode.New(text, recovery(try.level))
		if err == nil && c.VersionNumber <= try.version {
			return newImage(c, try.level), nil
		}
	}
	return nil, ErrTooLarge
}

// DrawAny draws any text, such as the URI of an offer, at the given level. It
// returns ErrTooLarge for what no QR code holds.
func DrawAny(text string, level Level) (*Image, error) {
	if text == "" || level < L || level > H {
		return nil, ErrDraw
	}
	c, err := qrcode.New(text, recovery(level))
	if err != nil {
		return nil, ErrTooLarge.With(err).WithHint("use a shorter text or a lower level of error correction")
	}
	return newImage(c, level), nil
}

func recovery(l Level) qrcode.RecoveryLevel {
	switch l {
	case H:
		return qrcode.Highest
	case Q:
		return qrcode.High
	case M:
		return qrcode.Medium
	}
	return qrcode.Low
}

func newImage(c *qrcode.QRCode, level Level) *Image {
	c.DisableBorder = true
	bare := c.Bitmap()
	side := len(bare) + 2*quietZone
	rows := make([][]bool, side)
	for y := range rows {
		rows[y] = make([]bool, side)
		if i := y - quietZone; i >= 0 && i < len(bare) {
			copy(rows[y][quietZone:], bare[i])
		}
	}
	return &Image{Version: c.VersionNumber, Level: level, modules: rows}
}

// Size gives the modules a side, quiet zone included.
func (m *Image) Size() int { return len(m.modules) }

// Bits gives the modules row by row without gaps, a bit each, the first one in
// the highest bit; 1 is black. The last byte is filled up with zeros.
func (m *Image) Bits() []byte {
	side := m.Size()
	out := make([]byte, (side*side+7)/8)
	for y, row := range m.modules {
		for x, black := range row {
			if i := y*side + x; black {
				out[i/8] |= 0x80 >> (i % 8)
			}
		}
	}
	return out
}

// black reports whether a module is black; all around the code is white.
func (m *Image) black(x, y int) bool {
	return y >= 0 && y < len(m.modules) && x >= 0 && x < len(m.modules) && m.modules[y][x]
}

// maxModule bounds a module's pixels: 40 make a version 40 code 7,400 pixels wide.
const maxModule = 40

// PNG gives the code as a black and white PNG with so many pixels for the side
// of a module, 1 to 40; numbers outside are taken as the nearest.
func (m *Image) PNG(pixels int) ([]byte, error) {
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&b, m.Paletted(pixels)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Paletted gives the code as an image of two colours, with so many pixels for
// the side of a module as in PNG.
func (m *Image) Paletted(pixels int) *image.Paletted {
	pixels = min(max(pixels, 1), maxModule)
	side := m.Size() * pixels
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y, row := range m.modules {
		line := img.Pix[y*pixels*img.Stride:][:img.Stride]
		for x, black := range row {
			if black {
				for i := range pixels {
					line[x*pixels+i] = 1
				}
			}
		}
		for i := 1; i < pixels; i++ {
			copy(img.Pix[(y*pixels+i)*img.Stride:], line)
		}
	}
	return img
}

// SVG gives the code as one path on white, in modules, to be scaled by whoever
// shows it. It has no size of its own, no script and no style.
func (m *Image) SVG() string {
	side := strconv.Itoa(m.Size())
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + side + ` ` + side +
		`" role="img" aria-label="QR code" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + side + `v` + side + `H0z"/><path d="`)
	for y, row := range m.modules {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			run := 1
			for x+run < len(row) && row[x+run] {
				run++
			}
			b.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "h" + strconv.Itoa(run) + "v1h-" + strconv.Itoa(run) + "z")
			x += run
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// Terminal gives the code in half blocks, two rows of modules a line, black on
// white whatever the colours of the terminal.
func (m *Image) Terminal() string {
	var b strings.Builder
	for y := 0; y < m.Size(); y += 2 {
		b.WriteString("\x1b[30;47m")
		for x := range m.Size() {
			switch upper, lower := m.black(x, y), m.black(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}
