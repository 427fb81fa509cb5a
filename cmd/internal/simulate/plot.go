package simulate

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Plots draws the result as SVG and gives the files by name.
func (r *Result) Plots() map[string][]byte {
	sizes := chart{title: "What a border post loads", about: "Bytes by day: the whole bundle, all changes of the day one after the other, and the day's change at once.", x: "day", y: "bytes", log: true}
	whole, all, once := series{name: "whole bundle"}, series{name: "all changes of the day"}, series{name: "the day at once"}
	for _, d := range r.Days {
		x := float64(d.Day)
		whole.add(x, float64(d.Bundle))
		all.add(x, float64(d.Deltas))
		once.add(x, float64(d.Delta))
	}
	sizes.series = []series{whole, all, once}

	ages := chart{title: "How old what a post knows is", about: "Hours since the lists in the post's bundle were signed, just before the next bundle: the 95th of a hundred posts, by line. Over 24 hours a check says so; over 7 days it cannot say green.",
		x: "day", y: "hours", log: true, marks: []mark{{24, "24 h: amber"}, {168, "7 days: status unknown"}}}
	stale := chart{title: "How stale posts are", about: "For each line, the part of the time in which what its posts knew was not older than this, just before the next bundle.",
		x: "per cent of the time", y: "hours", log: true, marks: ages.marks}
	bytes := bars{title: "What a post loads in a day", about: "Bytes per post and day on average, by line."}
	for _, p := range r.Posts {
		s := series{name: p.Title}
		for _, a := range p.AgeByStep {
			s.add(a.Hour/24, a.P95)
		}
		ages.series = append(ages.series, s)
		s = series{name: p.Title}
		for part, age := range p.AgeByPart {
			s.add(float64(part), age)
		}
		stale.series = append(stale.series, s)
		bytes.rows = append(bytes.rows, bar{p.Title, p.PerDay, size(int64(p.PerDay))})
	}
	return map[string][]byte{"sizes.svg": sizes.draw(), "ages.svg": ages.draw(), "stale.svg": stale.draw(), "posts.svg": bytes.draw()}
}

// WritePlots writes the plots into a directory.
func (r *Result) WritePlots(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range r.Plots() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Sizes of a picture.
const (
	wide, high               = 760, 400
	left, right, top, bottom = 70, 20, 50, 50
)

// Lines differ by colour and by dashes, for those who do not tell colours apart.
// The colours are those of Okabe and Ito.
var (
	colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"}
	dashes  = []string{"", "8 4", "2 3", "10 3 2 3", "1 4"}
)

type point struct{ x, y float64 }

type series struct {
	name   string
	points []point
}

func (s *series) add(x, y float64) { s.points = append(s.points, point{x, y}) }

type mark struct {
	y    float64
	name string
}

// chart is a plot of lines.
type chart struct {
	title, about, x, y string
	log                bool
	series             []series
	marks              []mark
}

func (c *chart) draw() []byte {
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	see := func(y float64) {
		if y > 0 {
			minY, maxY = min(minY, y), max(maxY, y)
		}
	}
	for _, s := range c.series {
		for _, p := range s.points {
			minX, maxX = min(minX, p.x), max(maxX, p.x)
			see(p.y)
		}
	}
	for _, m := range c.marks {
		see(m.y)
	}
	if minX > maxX || minY > maxY { // nothing to draw
		minX, maxX, minY, maxY = 0, 1, 1, 10
	}
	low, top10 := math.Floor(math.Log10(minY)), math.Ceil(math.Log10(maxY))
	if top10 == low {
		top10++
	}
	legend := 18 * len(c.series)
	h := high + legend
	px := func(x float64) float64 {
		if maxX == minX {
			return left
		}
		return left + (x-minX)/(maxX-minX)*(wide-left-right)
	}
	py := func(y float64) float64 {
		return float64(high-bottom) - (max(math.Log10(y), low)-low)/(top10-low)*(high-top-bottom)
	}
	var b bytes.Buffer
	head(&b, c.title, c.about, h)
	for e := low; e <= top10; e++ {
		y := py(math.Pow(10, e))
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#d0d0d0"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y, wide-right, y, left-8, y+4, c.label(math.Pow(10, e)))
	}
	for _, m := range c.marks {
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#b00020" stroke-dasharray="3 3"/><text x="%d" y="%.1f" fill="#b00020">%s</text>`+"\n",
			left, py(m.y), wide-right, py(m.y), left+6, py(m.y)-4, html.EscapeString(m.name))
	}
	for i := range 7 {
		x := minX + (maxX-minX)*float64(i)/6
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", px(x), high-bottom+18, x)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+wide-right)/2, high-bottom+36, html.EscapeString(c.x))
	for i, s := range c.series {
		var pts []string
		for _, p := range s.points {
			pts = append(pts, fmt.Sprintf("%.1f,%.1f", px(p.x), py(p.y)))
		}
		stroke := fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="%s"`, colours[i%len(colours)], dashes[i%len(dashes)])
		fmt.Fprintf(&b, `<polyline fill="none" %s points="%s"/>`+"\n", stroke, strings.Join(pts, " "))
		y := high + 18*i
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" %s/><text x="%d" y="%d">%s</text>`+"\n", left, y, left+40, y, stroke, left+50, y+4, html.EscapeString(s.name))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (c *chart) label(v float64) string {
	if c.y == "bytes" {
		switch {
		case v >= 1e6:
			return fmt.Sprintf("%.0f MB", v/1e6)
		case v >= 1e3:
			return fmt.Sprintf("%.0f kB", v/1e3)
		}
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%g h", v)
}

type bar struct {
	name  string
	value float64
	text  string
}

// bars is a plot of bars that lie.
type bars struct {
	title, about string
	rows         []bar
}

func (c *bars) draw() []byte {
	most := 1.0
	for _, r := range c.rows {
		most = max(most, r.value)
	}
	var b bytes.Buffer
	head(&b, c.title, c.about, top+44*len(c.rows)+10)
	for i, r := range c.rows {
		y := top + 44*i
		w := r.value / most * (wide - 40 - 90)
		fmt.Fprintf(&b, `<text x="20" y="%d">%s</text><rect x="20" y="%d" width="%.1f" height="18" fill="%s"/><text x="%.1f" y="%d">%s</text>`+"\n",
			y+10, html.EscapeString(r.name), y+16, w, colours[0], 28+w, y+30, html.EscapeString(r.text))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func head(b *bytes.Buffer, title, about string, h int) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t d" font-family="sans-serif" font-size="12">
<title id="t">%s</title><desc id="d">%s</desc>
<rect width="%d" height="%d" fill="#fff"/>
<text x="20" y="26" font-size="16" font-weight="bold">%s</text>
`, wide, h, html.EscapeString(title), html.EscapeString(about), wide, h, html.EscapeString(title))
}
