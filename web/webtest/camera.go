package webtest

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"
)

// The size of a camera's picture.
const (
	cameraWidth  = 1280
	cameraHeight = 720
)

// Camera is a camera that a test holds something in front of. It belongs to a
// browser:
//
//	camera := webtest.NewCamera(t)
//	chromium := webtest.Open(t, camera.Flags()...)
//	camera.Show(code)
//
// A page that opens the camera sees what was shown last before it did so.
type Camera struct {
	t    testing.TB
	file string
}

// NewCamera gives a camera that sees an empty wall.
func NewCamera(t testing.TB) *Camera {
	t.Helper()
	c := &Camera{t, filepath.Join(t.TempDir(), "camera.y4m")}
	c.Show(nil)
	return c
}

// Flags are for Open: the browser takes this camera for a real one and lets
// pages of the test use it.
func (c *Camera) Flags() []string {
	return []string{"use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "use-file-for-fake-video-capture=" + c.file}
}

// Show holds a picture in front of the camera, in the middle, as large as it
// fits in whole pixels; nil is the wall.
func (c *Camera) Show(picture image.Image) {
	c.t.Helper()
	luma := make([]byte, cameraWidth*cameraHeight)
	for i := range luma {
		luma[i] = 190
	}
	if picture != nil {
		b := picture.Bounds()
		// A little of the wall is left around it.
		k := min((cameraWidth-40)/b.Dx(), (cameraHeight-40)/b.Dy())
		if k < 1 {
			c.t.Fatalf("%d×%d pixels do not fit in front of the camera", b.Dx(), b.Dy())
		}
		left, top := (cameraWidth-k*b.Dx())/2, (cameraHeight-k*b.Dy())/2
		for y := top; y < top+k*b.Dy(); y++ {
			for x := left; x < left+k*b.Dx(); x++ {
				grey := color.GrayModel.Convert(picture.At(b.Min.X+(x-left)/k, b.Min.Y+(y-top)/k)).(color.Gray).Y
				luma[y*cameraWidth+x] = 16 + byte(int(grey)*219/255) // what video has for black and white
			}
		}
	}
	if err := c.write(luma); err != nil {
		c.t.Fatal(err)
	}
}

// write replaces the film at once: a browser never reads half of it.
func (c *Camera) write(luma []byte) error {
	f, err := os.CreateTemp(filepath.Dir(c.file), "film")
	if err != nil {
		return err
	}
	defer f.Close()
	colourless := make([]byte, cameraWidth*cameraHeight/2)
	for i := range colourless {
		colourless[i] = 128
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420\n", cameraWidth, cameraHeight)
	for range 3 { // it is played over and over
		fmt.Fprint(w, "FRAME\n")
		w.Write(luma)
		w.Write(colourless)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.file)
}
