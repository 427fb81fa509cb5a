package qr

import (
	"fmt"
	"strings"
	"testing"
)

// TestBitsAreTheDrawing: what a script draws from the bits is what SVG draws.
func TestBitsAreTheDrawing(t *testing.T) {
	img, err := DrawAny("KP1:BITS", M)
	if err != nil {
		t.Fatal(err)
	}
	bits, side := img.Bits(), img.Size()
	if len(bits) != (side*side+7)/8 {
		t.Fatalf("%d bytes for %d modules a side", len(bits), side)
	}
	svg := img.SVG()
	for y := range side {
		for x := range side {
			i := y*side + x
			black := bits[i/8]&(0x80>>(i%8)) != 0
			if black != img.black(x, y) {
				t.Fatalf("the module %d, %d is not as drawn", x, y)
			}
			if starts := black && !img.black(x-1, y); starts != strings.Contains(svg, fmt.Sprintf("M%d %dh", x, y)) && y > 0 {
				t.Fatalf("the module %d, %d is not in the SVG", x, y)
			}
		}
	}
}
