package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// line is how a post is connected.
type line struct {
	name, title string
	part        float64
	// fetches reports whether a post gets a bundle at this step.
	fetches func(p *post, step int) bool
	whole   bool // a courier brings files: never a change
}

// lines are the patterns of the simulation, in words an operator would use.
var lines = []line{
	{"online", "a steady line: every bundle", 0.50, func(*post, int) bool { return true }, false},
	{"daily", "once a day, at an hour of its own", 0.20, func(p *post, step int) bool { return step%p.perDay() == p.phase%p.perDay() }, false},
	{"failing", "a failing line: one attempt in five succeeds", 0.15, func(p *post, _ int) bool { return p.chance.Float64() < 0.2 }, false},
	{"courier", "no line: a USB stick once a week", 0.10, func(p *post, step int) bool { return step%(7*p.perDay()) == p.phase }, true},
	{"cut", "a steady line that is cut for nine days", 0.05, func(p *post, step int) bool {
		at := time.Duration(step) * p.every
		return at < 10*24*time.Hour || at >= 19*24*time.Hour
	}, false},
}

// post is one border post.
type post struct {
	line    int
	every   time.Duration
	phase   int
	chance  *rand.Rand
	have    int // step of its bundle
	bytes   int64
	fetched int
	ages    []float64 // in hours, before each fetch
	behind  []int     // in steps: what those ages are
}

func (p *post) perDay() int { return int(24 * time.Hour / p.every) }

// newPosts makes the posts. Each came with a bundle from the capital: the first.
func newPosts(n Nation) []*post {
	var out []*post
	c := n.chance(2)
	shares := 0.0
	for i, l := range lines {
		shares += l.part
		until := int(math.Round(shares * float64(n.Posts)))
		for len(out) < until {
			p := &post{line: i, every: n.Every, chance: n.chance(1000 + uint64(len(out)))}
			p.phase = c.IntN(7 * p.perDay())
			out = append(out, p)
		}
	}
	return out
}

// live lets a post pass one step, just after the hub made a bundle, and reports
// whether it loads now.
func (p *post) live(step int) bool {
	if step == 0 {
		p.have = 0
		return false
	}
	p.behind = append(p.behind, step-p.have)
	p.ages = append(p.ages, (time.Duration(step-p.have) * p.every).Hours())
	return lines[p.line].fetches(p, step)
}

// Pattern is how posts with one sort of line fared. Ages are hours since the lists
// in the post's bundle were signed, taken just before each new bundle: the worst
// moment.
type Pattern struct {
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Posts     int     `json:"posts"`
	PerDay    float64 `json:"bytesPerPostAndDay"`
	Median    float64 `json:"ageMedianHours"`
	P95       float64 `json:"age95Hours"`
	Most      float64 `json:"ageMostHours"`
	Amber     float64 `json:"partOver24Hours"`     // of the time: a check says STATUS_STALE
	Unknown   float64 `json:"partOver7Days"`       // of the time: STATUS_UNKNOWN
	Missed    float64 `json:"revocationsNotKnown"` // on average, of the whole nation
	AgeByStep []Age   `json:"ageByStep"`
	// AgeByPart is the age that was not exceeded in 0, 1, … 100 % of the time.
	AgeByPart []float64 `json:"ageByPercentOfTime"`
}

// Stale is how one post fared.
type Stale struct {
	Line    string  `json:"line"`
	PerDay  float64 `json:"bytesPerDay"`
	Bundles int     `json:"bundles"` // that it loaded
	Median  float64 `json:"ageMedianHours"`
	P95     float64 `json:"age95Hours"`
	Most    float64 `json:"ageMostHours"`
}

// each says how stale each post was.
func each(posts []*post) []Stale {
	out := make([]Stale, len(posts))
	for i, p := range posts {
		days := float64(len(p.ages)) * p.every.Hours() / 24
		out[i] = Stale{Line: lines[p.line].name, PerDay: float64(p.bytes) / days, Bundles: p.fetched}
		out[i].Median, out[i].P95, out[i].Most = quantiles(slices.Clone(p.ages))
	}
	return out
}

// Age is the age of bundles at one step.
type Age struct {
	Hour   float64 `json:"hour"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

func patterns(posts []*post, revocations []int64) []Pattern {
	var out []Pattern
	for i, l := range lines {
		x := Pattern{Name: l.name, Title: l.title}
		var ages []float64
		var bytes, missed int64
		var steps int
		for _, p := range posts {
			if p.line != i {
				continue
			}
			x.Posts++
			bytes += p.bytes
			steps = len(p.ages)
			for step, age := range p.ages {
				ages = append(ages, age)
				missed += revocations[step+1] - revocations[step+1-p.behind[step]]
				if age > 24 {
					x.Amber++
				}
				if age > 7*24 {
					x.Unknown++
				}
			}
		}
		if x.Posts == 0 || steps == 0 {
			continue
		}
		every := posts[0].every
		n := float64(len(ages))
		x.PerDay = float64(bytes) / float64(x.Posts) / (float64(steps) * every.Hours() / 24)
		x.Missed, x.Amber, x.Unknown = float64(missed)/n, x.Amber/n, x.Unknown/n
		x.Median, x.P95, x.Most = quantiles(ages)
		for part := range 101 {
			x.AgeByPart = append(x.AgeByPart, ages[(len(ages)-1)*part/100])
		}
		for step := range steps {
			var at []float64
			for _, p := range posts {
				if p.line == i {
					at = append(at, p.ages[step])
				}
			}
			m, p95, _ := quantiles(at)
			x.AgeByStep = append(x.AgeByStep, Age{float64(step+1) * every.Hours(), m, p95})
		}
		out = append(out, x)
	}
	return out
}

func quantiles(x []float64) (median, p95, most float64) {
	slices.Sort(x)
	return x[len(x)/2], x[min(len(x)-1, len(x)*95/100)], x[len(x)-1]
}
