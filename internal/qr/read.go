//go:build !js

package qr

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/kinpass/kinpass/internal/fault"
)

// MaxPixels is the largest image that Read looks at. A caller that decodes a
// stranger's image itself asks image.DecodeConfig first and refuses larger ones
// before their pixels are made, as ReadImage does.
const MaxPixels = 40_000_000

// Errors of reading an image.
var (
	ErrNoCode     = fault.New(fault.Unprocessable, "qr-not-found", "no readable QR code in the image").WithHint("take the picture again: flat, in focus, with the white margin")
	ErrImage      = fault.New(fault.Unsupported, "image-unreadable", "not a PNG, JPEG or GIF image")
	ErrImageLarge = fault.New(fault.TooLarge, "image-too-large", "the image has more than 40 megapixels")
)

// comfortable is the longer side, in pixels, at which an image is looked at
// first. A version 22 code has 113 modules with its margin; a reader wants four
// pixels or more for each, and more than ten only cost time.
const comfortable = 1600

// Read finds a QR code in an image and gives its text, whatever it is. It
// returns ErrNoCode when there is none that can be read, ErrImageLarge for an
// image of more than MaxPixels.
func Read(img image.Image) (string, error) {
	size := img.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 {
		return "", ErrNoCode
	}
	if size.X > MaxPixels/size.Y {
		return "", ErrImageLarge
	}
	full := grey(img)
	longer := max(size.X, size.Y)
	// Each sight is made when those before it showed nothing.
	whole := func() *image.Gray { return full }
	smaller := func(k int) func() *image.Gray { return func() *image.Gray { return shrink(full, k) } }
	larger := func(k int) func() *image.Gray { return func() *image.Gray { return enlarge(full, k) } }
	sights := []func() *image.Gray{whole}
	if k := (longer + comfortable - 1) / comfortable; k > 2 {
		sights = []func() *image.Gray{smaller(k), smaller(k / 2), whole}
	} else if k > 1 {
		sights = []func() *image.Gray{smaller(k), whole}
	} else if longer <= comfortable/2 {
		sights = append(sights, larger(2), larger(3))
	}
	for _, sight := range sights {
		if text, ok := readOne(sight()); ok {
			return text, nil
		}
	}
	return "", ErrNoCode
}

// ReadImage is Read for the bytes of a PNG, JPEG or GIF image. It returns
// ErrImage for anything else, and refuses an image of more than MaxPixels
// before it decodes it.
func ReadImage(data []byte) (string, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", ErrImage.With(err)
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > MaxPixels/size.Height {
		return "", ErrImageLarge
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", ErrImage.With(err)
	}
	return Read(img)
}

// readOne tries the binarizer for uneven light, then the one for low contrast
// and sharp pictures, then a code that fills the image exactly.
func readOne(g *image.Gray) (string, bool) {
	src := &luminance{LuminanceSourceBase: gozxing.LuminanceSourceBase{Width: g.Rect.Dx(), Height: g.Rect.Dy()}, g: g}
	for _, try := range []struct {
		binarizer gozxing.Binarizer
		how       func(*gozxing.BinaryBitmap, gozxing.ResultPointCallback) (string, bool)
	}{
		{gozxing.NewHybridBinarizer(src), anywhere},
		{gozxing.NewGlobalHistgramBinarizer(src), anywhere},
		{gozxing.NewGlobalHistgramBinarizer(src), alone},
	} {
		if text, ok := decode(try.binarizer, try.how); ok {
			return text, true
		}
	}
	return "", false
}

// maxCorners bounds the corner patterns that are looked at. The reader compares
// each three of them, so that an image drawn full of them would keep it for hours.
const maxCorners = 500

// decode runs a reader once. It is another's code and the image a stranger's:
// whatever it stumbles over, there is no code in the image. The only way to stop
// it is to panic in the callback that it makes for each corner pattern.
func decode(b gozxing.Binarizer, how func(*gozxing.BinaryBitmap, gozxing.ResultPointCallback) (string, bool)) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	corners := 0
	count := func(gozxing.ResultPoint) {
		if corners++; corners > maxCorners {
			panic(ErrNoCode)
		}
	}
	bitmap, err := gozxing.NewBinaryBitmap(b)
	if err != nil {
		return "", false
	}
	return how(bitmap, count)
}

// anywhere finds a code in an image by its corner patterns.
func anywhere(bitmap *gozxing.BinaryBitmap, seen gozxing.ResultPointCallback) (string, bool) {
	black, err := bitmap.GetBlackMatrix()
	if err != nil {
		return "", false
	}
	return locate(black, seen)
}

// alone takes the whole image for a code.
func alone(bitmap *gozxing.BinaryBitmap, _ gozxing.ResultPointCallback) (string, bool) {
	res, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil || res.GetText() == "" {
		return "", false
	}
	return res.GetText(), true
}

// grey gives the luminance of an image on white, with its corner at 0,0.
func grey(img image.Image) *image.Gray {
	b := img.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	switch m := img.(type) {
	case *image.Gray:
		for y := range b.Dy() {
			copy(out.Pix[y*out.Stride:][:b.Dx()], m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.YCbCr:
		for y := range b.Dy() {
			copy(out.Pix[y*out.Stride:][:b.Dx()], m.Y[m.YOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.Paletted:
		var table [256]uint8
		for i, c := range m.Palette {
			table[i] = onWhite(c)
		}
		for y := range b.Dy() {
			row := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):][:b.Dx()]
			for x, i := range row {
				out.Pix[y*out.Stride+x] = table[i]
			}
		}
	default:
		for y := range b.Dy() {
			for x := range b.Dx() {
				out.Pix[y*out.Stride+x] = onWhite(img.At(b.Min.X+x, b.Min.Y+y))
			}
		}
	}
	return out
}

// onWhite gives the luminance of a colour over a white ground.
func onWhite(c color.Color) uint8 {
	r, g, b, a := c.RGBA() // premultiplied
	return uint8((19595*r+38470*g+7471*b+1<<15)>>24) + uint8((0xffff-a)>>8)
}

// shrink averages squares of k pixels a side.
func shrink(g *image.Gray, k int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, max(g.Rect.Dx()/k, 1), max(g.Rect.Dy()/k, 1)))
	w, h := min(k, g.Rect.Dx()), min(k, g.Rect.Dy())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			sum := 0
			for dy := range h {
				for _, v := range g.Pix[(y*k+dy)*g.Stride+x*k:][:w] {
					sum += int(v)
				}
			}
			out.Pix[y*out.Stride+x] = uint8(sum / (w * h))
		}
	}
	return out
}

// enlarge gives k times the pixels both ways, with the steps between them
// smooth: where a module is few pixels and not a whole number of them, the reader
// then finds its edges.
func enlarge(g *image.Gray, k int) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, w*k, h*k))
	// In units of 1/2k pixel, the centre of a new pixel lies at 2i+1-k.
	at := func(i, n int) (low, high, weight int) {
		p := max(2*i+1-k, 0)
		low = p / (2 * k)
		return low, min(low+1, n-1), p % (2 * k)
	}
	for y := range h * k {
		y0, y1, wy := at(y, h)
		upper, lower := g.Pix[y0*g.Stride:], g.Pix[y1*g.Stride:]
		for x := range w * k {
			x0, x1, wx := at(x, w)
			a := int(upper[x0])*(2*k-wx) + int(upper[x1])*wx
			b := int(lower[x0])*(2*k-wx) + int(lower[x1])*wx
			out.Pix[y*out.Stride+x] = uint8((a*(2*k-wy) + b*wy) / (4 * k * k))
		}
	}
	return out
}

// luminance shows a grey image to the reader without another copy.
type luminance struct {
	gozxing.LuminanceSourceBase
	g *image.Gray
}

func (l *luminance) GetRow(y int, row []byte) ([]byte, error) {
	return append(row[:0], l.g.Pix[y*l.g.Stride:][:l.g.Rect.Dx()]...), nil
}

func (l *luminance) GetMatrix() []byte { return l.g.Pix }

func (l *luminance) Invert() gozxing.LuminanceSource { return gozxing.LuminanceSourceInvert(l) }

func (l *luminance) String() string { return "image" }
