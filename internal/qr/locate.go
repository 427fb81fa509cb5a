//go:build !js

package qr

import (
	"cmp"
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/common"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// slack is by how many modules a side the estimate from the corner patterns may
// be wrong. They are seven modules wide and the code more than a hundred: where
// a module is a few dots and not a whole number of them, half a dot at a
// pattern's edge becomes several modules at the other end.
const slack = 10

// guesses is how many triples of patterns are tried, those first that are most
// like the corners of a square. What a code says looks like a corner pattern at
// times, and so does what is around it.
const guesses = 12

// locate finds a code by its three corner patterns and reads it.
func locate(black *gozxing.BitMatrix, seen gozxing.ResultPointCallback) (string, bool) {
	for _, c := range squares(black, patterns(black, seen)) {
		if text, ok := c.decode(); ok {
			return text, true
		}
	}
	return "", false
}

// patterns finds all that looks like a corner pattern. The library's own search
// ends with the third, whatever it is.
func patterns(black *gozxing.BitMatrix, seen gozxing.ResultPointCallback) []*detector.FinderPattern {
	const rows = 2 // that are one apart
	finder := detector.NewFinderPatternFinder(black, seen)
	runs := make([]int, 5) // black, white, black, white, black
	for y := rows - 1; y < black.GetHeight(); y += rows {
		clear(runs)
		at := 0
		for x := 0; x <= black.GetWidth(); x++ {
			dark := x < black.GetWidth() && black.Get(x, y)
			if dark == (at%2 == 0) {
				runs[at]++
				continue
			}
			switch {
			case at == 0 && runs[0] == 0: // still before the first
			case at < 4:
				at++
				runs[at] = 1
			case detector.FinderPatternFinder_foundPatternCross(runs) && finder.HandlePossibleCenter(runs, y, x):
				clear(runs)
				at = 0
			default:
				detector.FinderPatternFinder_ShiftCounts2(runs)
				at = 3
			}
		}
	}
	return finder.GetPossibleCenters()
}

// squares gives the patterns by threes, as corners of a square: the best guesses,
// the best first. Those that were seen in one row only count where there are no
// others.
func squares(black *gozxing.BitMatrix, all []*detector.FinderPattern) []corners {
	var sure []*detector.FinderPattern
	for _, p := range all {
		if p.GetCount() > 1 {
			sure = append(sure, p)
		}
	}
	if len(sure) >= 3 {
		all = sure
	}
	slices.SortFunc(all, func(a, b *detector.FinderPattern) int {
		return cmp.Compare(a.GetEstimatedModuleSize(), b.GetEstimatedModuleSize())
	})
	type guess struct {
		off     float64
		a, b, c *detector.FinderPattern
	}
	var best []guess
	for i, a := range all {
		for j, b := range all[i+1:] {
			for _, c := range all[i+j+2:] {
				if c.GetEstimatedModuleSize() > 1.4*a.GetEstimatedModuleSize() {
					break
				}
				g := guess{crooked(centre(a), centre(b), centre(c)), a, b, c}
				if len(best) == guesses && g.off >= best[guesses-1].off {
					continue
				}
				if len(best) == guesses {
					best = best[:guesses-1]
				}
				at, _ := slices.BinarySearchFunc(best, g, func(x, y guess) int { return cmp.Compare(x.off, y.off) })
				best = slices.Insert(best, at, g)
			}
		}
	}
	var out []corners
	for _, g := range best {
		bottomLeft, topLeft, topRight := gozxing.ResultPoint_OrderBestPatterns(g.a, g.b, g.c)
		out = append(out, corners{black, point{topLeft.GetX(), topLeft.GetY()}, point{topRight.GetX(), topRight.GetY()}, point{bottomLeft.GetX(), bottomLeft.GetY()}})
	}
	return out
}

// crooked says how far three points are from being corners of a square, which is
// 0: by the squares of their distances, the longest being twice each other.
func crooked(a, b, c point) float64 {
	square := func(p, q point) float64 { return (q.x-p.x)*(q.x-p.x) + (q.y-p.y)*(q.y-p.y) }
	d := []float64{square(a, b), square(b, c), square(a, c)}
	slices.Sort(d)
	return (math.Abs(d[2]-2*d[0]) + math.Abs(d[2]-2*d[1])) / d[2]
}

// decode reads the code with each number of modules that its corners may stand
// for, the likeliest first, as seen flat and, by the alignment pattern beside the
// fourth corner, at an angle. A wrong one does not get past the code's own
// version and error correction.
func (c corners) decode() (string, bool) {
	across, down := distance(c.topLeft, c.topRight), distance(c.topLeft, c.bottomLeft)
	estimate := 7 + (across/c.module(c.topLeft, c.topRight)+down/c.module(c.topLeft, c.bottomLeft))/2
	var sides []int
	for side := 21; side <= 177; side += 4 {
		if math.Abs(float64(side)-estimate) <= slack {
			sides = append(sides, side)
		}
	}
	slices.SortFunc(sides, func(a, b int) int {
		return cmp.Compare(math.Abs(float64(a)-estimate), math.Abs(float64(b)-estimate))
	})
	for _, side := range sides {
		module := (across + down) / 2 / float64(side-7)
		if text, ok := c.read(side, c.fourth(), float64(side)-3.5); ok {
			return text, true
		}
		for reach := 4.0; reach <= 16 && side > 21; reach *= 2 {
			if at, ok := c.alignment(side, module, reach); ok {
				if text, ok := c.read(side, at, float64(side)-6.5); ok {
					return text, true
				}
			}
		}
	}
	return "", false
}

// point is a place in an image, in pixels from its upper left corner.
type point struct{ x, y float64 }

func centre(p *detector.FinderPattern) point { return point{p.GetX(), p.GetY()} }

func distance(a, b point) float64 { return math.Hypot(b.x-a.x, b.y-a.y) }

// corners are the centres of the three corner patterns in an image of black
// pixels.
type corners struct {
	black                         *gozxing.BitMatrix
	topLeft, topRight, bottomLeft point
}

// fourth is where the centre of a fourth pattern would be if the code is seen
// flat.
func (c corners) fourth() point {
	return point{c.topRight.x - c.topLeft.x + c.bottomLeft.x, c.topRight.y - c.topLeft.y + c.bottomLeft.y}
}

// module estimates a module's side from the two corner patterns a and b, along
// the line through both. It is not a number when they are no patterns.
func (c corners) module(a, b point) float64 {
	d := distance(a, b)
	u := point{(b.x - a.x) / d, (b.y - a.y) / d}
	v := point{-u.x, -u.y}
	return (c.run(a, u) + c.run(a, v) + c.run(b, u) + c.run(b, v)) / 14
}

// run is how far it is from a pattern's centre to its edge, which is after black,
// white and black: three and a half modules.
func (c corners) run(p, u point) float64 {
	const step = .25
	changes, last := 0, true
	for far := 0.0; ; far += step {
		x, y := int(math.Floor(p.x+far*u.x)), int(math.Floor(p.y+far*u.y))
		if x < 0 || y < 0 || x >= c.black.GetWidth() || y >= c.black.GetHeight() {
			if changes == 2 {
				return far
			}
			return math.NaN()
		}
		if c.black.Get(x, y) != last {
			last = !last
			if changes++; changes == 3 {
				return far
			}
		}
	}
}

// alignment looks for the alignment pattern beside the fourth corner of a code of
// so many modules a side, that many modules around where it would be seen flat.
func (c corners) alignment(side int, module, reach float64) (point, bool) {
	whole, to := c.fourth(), 1-3/float64(side-7)
	x, y := c.topLeft.x+to*(whole.x-c.topLeft.x), c.topLeft.y+to*(whole.y-c.topLeft.y)
	around := reach * module
	left, top := max(int(x-around), 0), max(int(y-around), 0)
	right, bottom := min(int(x+around), c.black.GetWidth()-1), min(int(y+around), c.black.GetHeight()-1)
	if float64(right-left) < 3*module || float64(bottom-top) < 3*module {
		return point{}, false
	}
	found, err := detector.NewAlignmentPatternFinder(c.black, left, top, right-left, bottom-top, module, nil).Find()
	if err != nil {
		return point{}, false
	}
	return point{found.GetX(), found.GetY()}, true
}

// read takes a code of so many modules a side, whose module at (fourth, fourth)
// from its upper left corner has its middle at the point.
func (c corners) read(side int, at point, fourth float64) (string, bool) {
	far := float64(side) - 3.5
	transform := common.PerspectiveTransform_QuadrilateralToQuadrilateral(
		3.5, 3.5, far, 3.5, fourth, fourth, 3.5, far,
		c.topLeft.x, c.topLeft.y, c.topRight.x, c.topRight.y, at.x, at.y, c.bottomLeft.x, c.bottomLeft.y)
	bits, err := common.GridSampler_GetInstance().SampleGridWithTransform(c.black, side, side, transform)
	if err != nil {
		return "", false
	}
	res, err := decoder.NewDecoder().Decode(bits, nil)
	if err != nil || res.GetText() == "" {
		return "", false
	}
	return res.GetText(), true
}
