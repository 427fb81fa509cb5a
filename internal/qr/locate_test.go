package qr

import (
	"image"
	"math"
	"testing"
)

// shown draws a code as a screen or a camera shows it: so many dots wide, turned
// by an angle, farther away at its right side by a part of its size, and each dot
// as black or white as its middle is.
func shown(m *Image, width int, angle, away float64) *image.Gray {
	side := float64(width)
	if angle != 0 || away != 0 {
		side *= 1.5
	}
	out := image.NewGray(image.Rect(0, 0, int(side), int(side)))
	sin, cos := math.Sincos(angle)
	module := float64(width) / float64(m.Size())
	at := func(u float64) int { return int(math.Floor((u + float64(width)/2) / module)) }
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			u, v := float64(x)+.5-side/2, float64(y)+.5-side/2
			u, v = u*cos+v*sin, v*cos-u*sin
			depth := 1 - away*u/float64(width)
			if !m.black(at(u/depth), at(v/depth)) {
				out.Pix[y*out.Stride+x] = 255
			}
		}
	}
	return out
}

// Codes of the sizes that wallets show are read at each width that a screen gives
// them: few dots for a module and not a whole number of them, and whatever their
// text looks like.
func TestReadSharp(t *testing.T) {
	r := seeded(11)
	widths := []int{288, 300, 560, 576, 580, 600, 608, 640, 700, 760}
	for i := range 50 {
		level := L + Level(i%3)
		text := text45(r, 400+(i*37)%500)
		img, err := DrawAny(text, level)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			width := widths[r.IntN(len(widths))]
			if got, err := Read(shown(img, width, 0, 0)); err != nil || got != text {
				t.Errorf("version %d %s, %d dots wide: %v", img.Version, level, width, err)
			}
		}
	}
}

// A camera is held somehow.
func TestReadTurned(t *testing.T) {
	r := seeded(12)
	for i := range 24 {
		text := text45(r, 300+(i*91)%600)
		img, err := DrawAny(text, M)
		if err != nil {
			t.Fatal(err)
		}
		angle, away := float64(i)*math.Pi/12, float64(i%3)*.03
		if got, err := Read(shown(img, 640, angle, away)); err != nil || got != text {
			t.Errorf("version %d, turned by %.2f, %.2f away: %v", img.Version, angle, away, err)
		}
	}
}
