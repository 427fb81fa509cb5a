package qr

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
)

// text45 makes KP1 text of n characters in all, random and in its alphabet.
func text45(r *rand.Rand, n int) string {
	b := []byte(prefix)
	for len(b) < n {
		b = append(b, alphabet45[r.IntN(45)])
	}
	return string(b)
}

// The versions of the size table of the KP1 decision: a text in alphanumeric
// mode is no larger.
func TestVersions(t *testing.T) {
	r := seeded(1)
	for _, c := range []struct{ chars, l, m, q int }{
		{357, 10, 11, 14}, {643, 14, 16, 19}, {804, 16, 18, 22}, {994, 18, 21, 25}, {1225, 20, 23, 28},
	} {
		text := text45(r, c.chars)
		for level, want := range map[Level]int{L: c.l, M: c.m, Q: c.q} {
			img, err := DrawAny(text, level)
			if err != nil {
				t.Fatal(err)
			}
			if img.Version != want || img.Level != level {
				t.Errorf("%d characters at %s: version %d, want %d", c.chars, level, img.Version, want)
			}
		}
	}
}

func TestDraw(t *testing.T) {
	r := seeded(2)
	for _, c := range []struct {
		name   string
		text   string
		medium Medium
		want   string
		err    error
	}{
		{"screen, small", text45(r, 300), Screen, "H", nil},
		{"screen, at the limit of Q", text45(r, 823), Screen, "Q", nil},
		{"screen, beyond Q", text45(r, 825), Screen, "M", nil},
		{"screen, at the limit of L", text45(r, 1460), Screen, "L", nil},
		{"screen, beyond L", text45(r, 1465), Screen, "", ErrTooLarge},
		{"paper, small", text45(r, 300), Paper, "Q", nil},
		{"paper, at the limit of 15-Q", text45(r, 426), Paper, "Q", nil},
		{"paper, beyond 15-Q", text45(r, 430), Paper, "M", nil},
		{"paper, at the limit of 18-M", text45(r, 816), Paper, "M", nil},
		{"paper, beyond 18-M", text45(r, 820), Paper, "", ErrTooLarge},
		{"no medium", text45(r, 300), 0, "", ErrDraw},
		{"not KP1", "https://example.org", Screen, "", ErrDraw},
		{"nothing", "", Paper, "", ErrDraw},
		{"too long for any code", text45(r, 5000), Screen, "", ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := Draw(c.text, c.medium)
			if c.err != nil {
				if !errors.Is(err, c.err) || img != nil {
					t.Fatalf("got %v, %v", img, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if img.Level.String() != c.want {
				t.Errorf("version %d-%s, want level %s", img.Version, img.Level, c.want)
			}
			if img.Size() != 17+4*img.Version+8 {
				t.Errorf("size %d for version %d", img.Size(), img.Version)
			}
		})
	}
}

func TestTooLargeSaysWhatToLeaveOut(t *testing.T) {
	_, err := Draw(text45(seeded(3), 1500), Screen)
	var hint string
	if e := ErrTooLarge; errors.As(err, &e) {
		hint = e.Hint
	}
	if !strings.Contains(hint, "leave out a guardianship") {
		t.Errorf("hint %q", hint)
	}
}

func decodePNG(t testing.TB, b []byte) image.Image {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// noisy puts an image on a larger grey sheet with uneven light and noise.
func noisy(r *rand.Rand, src image.Image, margin int) image.Image {
	b := src.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()+2*margin, b.Dy()+2*margin))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			v := 235.0
			if x >= margin && y >= margin && x < margin+b.Dx() && y < margin+b.Dy() {
				c, _, _, _ := src.At(b.Min.X+x-margin, b.Min.Y+y-margin).RGBA()
				v = 30 + float64(c>>8)*0.8
			}
			v = v*(0.7+0.3*float64(x)/float64(out.Rect.Dx())) + r.NormFloat64()*18
			g := uint8(min(max(v, 0), 255))
			out.SetRGBA(x, y, color.RGBA{g, g, uint8(min(int(g)+10, 255)), 255})
		}
	}
	return out
}

// resized samples an image at another size, as a screen or a camera does.
func resized(src image.Image, side int) image.Image {
	b := src.Bounds()
	out := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			fx, fy := (float64(x)+0.5)*float64(b.Dx())/float64(side)-0.5, (float64(y)+0.5)*float64(b.Dy())/float64(side)-0.5
			x0, y0 := max(int(fx), 0), max(int(fy), 0)
			x1, y1 := min(x0+1, b.Dx()-1), min(y0+1, b.Dy()-1)
			wx, wy := max(fx-float64(x0), 0), max(fy-float64(y0), 0)
			at := func(x, y int) float64 { c, _, _, _ := src.At(b.Min.X+x, b.Min.Y+y).RGBA(); return float64(c >> 8) }
			v := (at(x0, y0)*(1-wx)+at(x1, y0)*wx)*(1-wy) + (at(x0, y1)*(1-wx)+at(x1, y1)*wx)*wy
			out.SetGray(x, y, color.Gray{Y: uint8(v)})
		}
	}
	return out
}

func TestReadBack(t *testing.T) {
	r := seeded(4)
	text := text45(r, 1400) // version 22-L, the largest on a screen
	img, err := Draw(text, Screen)
	if err != nil {
		t.Fatal(err)
	}
	if img.Version != 22 {
		t.Fatalf("version %d", img.Version)
	}
	png4, err := img.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	plain := decodePNG(t, png4)
	small, err := img.PNG(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string]image.Image{
		"png":                   plain,
		"one pixel a module":    decodePNG(t, small),
		"scaled down":           resized(plain, 380),
		"scaled up":             resized(plain, 1000),
		"far too large":         img.Paletted(30),
		"noise and light":       noisy(r, plain, 60),
		"noise, scaled":         noisy(r, resized(plain, 700), 200),
		"part of another image": plain.(*image.Paletted).SubImage(image.Rect(4, 4, 448, 448)),
	} {
		got, err := Read(picture)
		if err != nil || got != text {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	white := image.NewGray(image.Rect(0, 0, 300, 300))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	noise := image.NewGray(image.Rect(0, 0, 500, 400))
	r := seeded(5)
	for i := range noise.Pix {
		noise.Pix[i] = uint8(r.Uint32())
	}
	img, err := Draw(text45(r, 1400), Screen)
	if err != nil {
		t.Fatal(err)
	}
	half := img.Paletted(4)
	for y := range half.Rect.Dy() {
		for x := range half.Rect.Dx() / 2 {
			half.SetColorIndex(x, y, 0)
		}
	}
	for name, c := range map[string]struct {
		img image.Image
		err error
	}{
		"white":     {white, ErrNoCode},
		"noise":     {noise, ErrNoCode},
		"half gone": {half, ErrNoCode},
		"empty":     {image.NewGray(image.Rectangle{}), ErrNoCode},
		"one pixel": {image.NewGray(image.Rect(0, 0, 1, 1)), ErrNoCode},
		"a line":    {image.NewGray(image.Rect(0, 0, 5000, 1)), ErrNoCode},
		"huge":      {image.NewUniform(color.White), ErrImageLarge},
	} {
		if text, err := Read(c.img); !errors.Is(err, c.err) || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
