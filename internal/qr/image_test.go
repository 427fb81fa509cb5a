package qr

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
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
		"far too large":         img.Paletted(16),
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
	// Corner patterns everywhere: the reader would compare each three of them.
	corners := image.NewGray(image.Rect(0, 0, 1400, 1400))
	for y := range 1400 {
		for x := range 1400 {
			a, b := x/2%14, y/2%14
			ring := a == 0 || a == 6 || b == 0 || b == 6
			middle := a > 1 && a < 5 && b > 1 && b < 5
			if a > 6 || b > 6 || !ring && !middle {
				corners.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	for name, c := range map[string]struct {
		img image.Image
		err error
	}{
		"corners":   {corners, ErrNoCode},
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

func TestReadImage(t *testing.T) {
	text := text45(seeded(6), 600)
	img, err := Draw(text, Paper)
	if err != nil {
		t.Fatal(err)
	}
	asPNG, err := img.PNG(5)
	if err != nil {
		t.Fatal(err)
	}
	var asJPEG, asGIF bytes.Buffer
	if err := jpeg.Encode(&asJPEG, img.Paletted(5), &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	if err := gif.Encode(&asGIF, img.Paletted(5), nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"PNG": asPNG, "JPEG": asJPEG.Bytes(), "GIF": asGIF.Bytes()} {
		if got, err := ReadImage(data); err != nil || got != text {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := bytes.Clone(asPNG) // says that it is 16 million pixels a side
	binary.BigEndian.PutUint32(huge[16:], 1<<24)
	binary.BigEndian.PutUint32(huge[20:], 1<<24)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, c := range map[string]struct {
		data []byte
		err  error
	}{
		"nothing":   {nil, ErrImage},
		"text":      {[]byte(text), ErrImage},
		"SVG":       {[]byte(img.SVG()), ErrImage},
		"truncated": {asPNG[:len(asPNG)/2], ErrImage},
		"huge":      {huge, ErrImageLarge},
	} {
		if got, err := ReadImage(c.data); !errors.Is(err, c.err) || got != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A code is the same in every form that it is given in.
func TestForms(t *testing.T) {
	img, err := DrawAny("openid-credential-offer://?credential_offer_uri=https://localhost/offers/1", M)
	if err != nil {
		t.Fatal(err)
	}
	side := img.Size()
	for y := range side {
		for x := range side {
			if (y < 4 || x < 4 || y >= side-4 || x >= side-4) && img.black(x, y) {
				t.Fatalf("the quiet zone is not white at %d,%d", x, y)
			}
		}
	}

	svg := img.SVG()
	var parsed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		Role    string   `xml:"role,attr"`
		ViewBox string   `xml:"viewBox,attr"`
		Label   string   `xml:"aria-label,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.Role != "img" || parsed.Label == "" || parsed.ViewBox != fmt.Sprintf("0 0 %d %d", side, side) || len(parsed.Paths) != 2 {
		t.Fatalf("SVG with role %q, viewBox %q, %d paths", parsed.Role, parsed.ViewBox, len(parsed.Paths))
	}
	for _, foreign := range []string{"<script", "style", "href", "offers"} {
		if strings.Contains(svg, foreign) {
			t.Errorf("the SVG holds %q", foreign)
		}
	}
	painted := map[[2]int]bool{}
	for run := range strings.SplitSeq(strings.TrimSuffix(parsed.Paths[1].D, "z"), "z") {
		var x, y, w, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &w, &back); err != nil || w != back {
			t.Fatalf("path %q: %v", run, err)
		}
		for i := range w {
			painted[[2]int{x + i, y}] = true
		}
	}

	lines := strings.Split(strings.TrimSuffix(img.Terminal(), "\n"), "\n")
	if len(lines) != (side+1)/2 {
		t.Fatalf("%d lines for %d modules", len(lines), side)
	}
	for y := range side {
		row := []rune(strings.TrimSuffix(strings.TrimPrefix(lines[y/2], "\x1b[30;47m"), "\x1b[0m"))
		if len(row) != side {
			t.Fatalf("line %d has %d characters", y/2, len(row))
		}
		for x := range side {
			half := map[rune][2]bool{' ': {false, false}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}}[row[x]]
			if half[y%2] != img.black(x, y) || painted[[2]int{x, y}] != img.black(x, y) {
				t.Fatalf("module %d,%d differs", x, y)
			}
		}
	}

	for pixels, want := range map[int]int{-1: side, 0: side, 1: side, 3: 3 * side, 41: 40 * side} {
		if got := img.Paletted(pixels).Rect.Dx(); got != want {
			t.Errorf("%d pixels a module: %d wide, want %d", pixels, got, want)
		}
	}
}

func TestDrawAnyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		level Level
		err   error
	}{
		"nothing":     {"", M, ErrDraw},
		"no level":    {"x", 0, ErrDraw},
		"fifth level": {"x", H + 1, ErrDraw},
		"too long":    {strings.Repeat("x", 3000), L, ErrTooLarge},
	} {
		if img, err := DrawAny(c.text, c.level); !errors.Is(err, c.err) || img != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadImage(f *testing.F) {
	img, err := DrawAny("KP1:", L)
	if err != nil {
		f.Fatal(err)
	}
	data, err := img.PNG(3)
	if err != nil {
		f.Fatal(err)
	}
	var lossy bytes.Buffer
	if err := jpeg.Encode(&lossy, img.Paletted(3), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(lossy.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if size, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && size.Width*size.Height > 1<<18 {
			t.Skip("only slow")
		}
		text, err := ReadImage(data)
		if err != nil && text != "" {
			t.Fatal("an error and a text")
		}
	})
}
