package mirror

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
)

// Fetcher brings a post the newest bundle that its mirrors have.
type Fetcher struct {
	// Mirrors are addresses and directories. All are asked what they have; the
	// newest is fetched from the first of them that has it, and from the next if
	// that does not work.
	Mirrors []string
	// Have is the bundle in hand, nil for none.
	Have *bundle.File
	// Hub gives a hub's key by its identifier, as the trust list in hand has it,
	// or nil. It tells a false index before anything is fetched.
	Hub func(kid string) crypto.PublicKey
	// Accept judges a bundle from the anchors down. What it refuses counts
	// against the mirror, and is what Fetch gives where no mirror helped; an error
	// wrapped by Own does not, and ends the fetch.
	Accept func(file []byte) error
	// Part is the file in which a transfer is kept that broke off, "" for none;
	// beside it lies what it is of.
	Part string
	// NoDeltas fetches the whole bundle even where what changed is smaller.
	NoDeltas bool

	Client   *http.Client   // default: one that gives up on servers that do not answer
	Pause    time.Duration  // before the first repetition; default half a second
	Window   time.Duration  // over which a mirror has to get on; default half a minute
	Progress func(Progress) // told of what goes on; may be nil
}

// Own marks an error of Accept as the post's own, such as a disk that is full: no
// mirror can help.
func Own(err error) error {
	if err == nil {
		return nil
	}
	return &own{err}
}

type own struct{ error }

func (e *own) Unwrap() error { return e.error }

// refused is what Accept said of a bundle that is what its hub signed.
type refused struct{ error }

func (e *refused) Unwrap() error { return e.error }

// accept gives a bundle to Accept.
func (f *Fetcher) accept(file []byte) error {
	err := f.Accept(file)
	var mine *own
	if err == nil || errors.As(err, &mine) {
		return err
	}
	return &refused{err}
}

// Progress is what goes on.
type Progress struct {
	Mirror string
	What   string // a name within the mirror
	Done   int64
	Total  int64
}

// Problem is what is wrong with a mirror.
type Problem struct {
	Mirror string `json:"mirror"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// How a bundle came.
const (
	Unchanged = "unchanged" // the one in hand is the newest
	ByDelta   = "delta"
	Whole     = "full"
)

// Fetched is what came of it.
type Fetched struct {
	File     []byte    // nil if Unchanged
	How      string    // Unchanged, ByDelta or Whole
	Mirror   string    // from which it is
	Deltas   int       // how many were applied
	Bytes    int64     // that came over the line
	Resumed  int64     // bytes that were there from before
	Problems []Problem // of mirrors, also where another helped
}

// offer is a mirror with what it says it has.
type offer struct {
	mirror string
	source source
	index  *Index
	least  int64 // how many bytes a second it has to send
}

// Fetch asks the mirrors and fetches. ErrBehind: none is as new as the bundle in
// hand. ErrNoMirror: none helped; the problems say why. Where a bundle came and
// Accept refused it, that error, of the newest bundle, is given as it is: its code
// and hint say more than that no mirror helped. In any case the problems are there.
func (f *Fetcher) Fetch(ctx context.Context) (Fetched, error) {
	if f.Client == nil {
		f.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true,
			TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: stalled, MaxResponseHeaderBytes: 32 << 10, ForceAttemptHTTP2: true}}
	}
	if f.Pause <= 0 {
		f.Pause = 500 * time.Millisecond
	}
	if f.Window <= 0 {
		f.Window = window
	}
	var out Fetched
	var offers []offer
	var last, verdict error
	same, behind := "", false
	// Who is slow is asked again when no other helps.
	asked := slices.Clone(f.Mirrors)
	for n := 0; n < len(asked); n++ {
		m, least := asked[n], int64(hurried)
		if n >= len(f.Mirrors) || len(f.Mirrors) == 1 {
			least = patient
		}
		if n >= len(f.Mirrors) && (len(offers) > 0 || same != "") {
			out.wrong(m, ErrSlow)
			continue
		}
		o, err := f.ask(ctx, m, least)
		switch {
		case ctx.Err() != nil:
			return out, ctx.Err()
		case errors.Is(err, ErrSlow) && least != patient:
			asked = append(asked, m)
		case err != nil:
			last = err
			out.wrong(m, err)
		case f.Have != nil && o.index.signed.Digest() == f.Have.Digest():
			same = m
		case f.Have != nil && !Newer(o.index.signed, f.Have.Manifest):
			behind = true
			out.wrong(m, ErrBehind.WithDetail("this mirror is behind the bundle that is here"))
		default:
			offers = append(offers, o)
		}
	}
	// Newest first; of equals the one that was named first.
	slices.SortStableFunc(offers, func(a, b offer) int {
		switch one, two := a.index.signed, b.index.signed; {
		case one.CreatedAt.Equal(two.CreatedAt) && one.KID != two.KID:
			return 0
		case Newer(one, two):
			return -1
		case Newer(two, one):
			return 1
		}
		return 0
	})
	for n := 0; n < len(offers); n++ {
		o := offers[n]
		if n+1 == len(offers) {
			o.least = patient
		}
		err := f.from(ctx, o, &out)
		if err == nil {
			out.Mirror = o.mirror
			return out, nil
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		var mine *own
		if errors.As(err, &mine) {
			return out, mine.error
		}
		var no *refused
		if verdict == nil && errors.As(err, &no) {
			verdict = no.error
		}
		if errors.Is(err, ErrSlow) && o.least != patient {
			o.least = patient
			offers = append(offers, o)
		}
		last = err
		out.wrong(o.mirror, err)
	}
	switch {
	case same != "":
		out.How, out.Mirror = Unchanged, same
		return out, nil
	case behind && len(offers) == 0:
		return out, ErrBehind
	case verdict != nil:
		return out, verdict
	}
	// One mirror's fault says more than that there was one.
	if len(f.Mirrors) == 1 && last != nil {
		return out, ErrNoMirror.WithDetail("nothing could be taken from the mirror: " + fault.As(last).Detail).With(last)
	}
	return out, ErrNoMirror.With(last)
}

func (o *Fetched) wrong(mirror string, err error) {
	f := fault.As(err)
	o.Problems = append(o.Problems, Problem{mirror, f.Code, f.Detail})
}

// ask reads a mirror's index; a service has it one directory below its address.
func (f *Fetcher) ask(ctx context.Context, mirror string, least int64) (offer, error) {
	s, err := sourceOf(mirror, f.Client)
	if err != nil {
		return offer{}, err
	}
	o := offer{mirror: mirror, source: s, least: least}
	data, err := f.read(ctx, o, IndexName, maxIndex)
	if errors.Is(err, ErrNotServed) {
		o.source = s.inner(Below)
		data, err = f.read(ctx, o, IndexName, maxIndex)
	}
	if err != nil {
		return offer{}, err
	}
	i, err := ParseIndex(data)
	if err != nil {
		return offer{}, err
	}
	if f.Hub != nil {
		if key := f.Hub(i.signed.KID); key != nil {
			if err := i.signed.Verify(key); err != nil {
				return offer{}, ErrDamaged.With(err)
			}
		}
	}
	o.index, o.least = i, hurried
	return o, nil
}

// read reads a small file, again if the transfer breaks off.
func (f *Fetcher) read(ctx context.Context, o offer, name string, limit int64) ([]byte, error) {
	var err error
	for n := range 3 {
		if n > 0 {
			if werr := f.wait(ctx, n); werr != nil {
				return nil, werr
			}
		}
		var r *reply
		if r, err = o.source.open(ctx, name, 0, ""); err != nil {
			if errors.Is(err, ErrNotServed) {
				return nil, err
			}
			continue
		}
		var data []byte
		data, err = io.ReadAll(io.LimitReader(f.paced(r, o), limit+1))
		r.Close()
		if errors.Is(err, ErrSlow) {
			return nil, err
		}
		if err != nil {
			err = ErrTransfer.With(err)
			continue
		}
		if int64(len(data)) > limit {
			return nil, ErrTransfer.WithDetail("the mirror sends more than such a file can have")
		}
		return data, nil
	}
	return nil, err
}

func (f *Fetcher) paced(r io.Reader, o offer) io.Reader {
	return &paced{Reader: r, least: o.least, window: f.Window}
}

// wait waits a little longer each time.
func (f *Fetcher) wait(ctx context.Context, n int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(f.Pause<<min(n-1, 6), 10*time.Second)):
		return nil
	}
}

// from fetches from one mirror: by deltas if they are smaller, and whole if they
// do not lead there.
func (f *Fetcher) from(ctx context.Context, o offer, out *Fetched) error {
	if f.Have != nil && f.Have.KID == o.index.Hub && !f.NoDeltas {
		if way := o.index.way(f.Have.Sequence); len(way) > 0 {
			file, err := f.byDeltas(ctx, o, way, out)
			if err == nil {
				out.File, out.How, out.Deltas = file, ByDelta, len(way)
				return nil
			}
			var mine *own
			var no *refused // the whole file would be the same
			if ctx.Err() != nil || errors.As(err, &mine) || errors.As(err, &no) || errors.Is(err, ErrSlow) {
				return err
			}
			// A service that keeps the version no more is no fault of the mirror.
			if !o.index.OnDemand || !errors.Is(err, ErrNotServed) {
				out.wrong(o.mirror, fault.As(err).WithDetail("the deltas do not lead to the newest bundle, so it comes whole: "+fault.As(err).Detail))
			}
		}
	}
	file, err := f.whole(ctx, o, out)
	if err != nil {
		return err
	}
	out.File, out.How = file, Whole
	return nil
}

func (f *Fetcher) byDeltas(ctx context.Context, o offer, way []Delta, out *Fetched) ([]byte, error) {
	at := f.Have
	var file []byte
	for _, d := range way {
		name := DeltaName(d.From, d.To)
		f.tell(Progress{o.mirror, name, 0, d.Size})
		delta, err := f.read(ctx, o, name, o.index.Size)
		if err != nil {
			return nil, err
		}
		out.Bytes += int64(len(delta))
		f.tell(Progress{o.mirror, name, int64(len(delta)), int64(len(delta))})
		if file, err = bundle.Apply(at, delta); err != nil {
			return nil, err
		}
		if at, err = bundle.Open(file); err != nil {
			return nil, err
		}
	}
	if at.Digest() != o.index.signed.Digest() {
		return nil, ErrDamaged
	}
	return file, f.accept(file)
}

// origin is what a transfer that broke off is of.
type origin struct {
	Mirror   string `json:"mirror"`
	Tag      string `json:"tag"`
	Manifest string `json:"manifest"`
}

// partial is the file of a transfer, and what of it is good.
type partial struct {
	path string
	origin
	data []byte
}

// resume reads what a transfer before left of the same bundle, up to the last
// part that is whole and good.
func (f *Fetcher) resume(o offer) *partial {
	p := &partial{path: f.Part}
	if f.Part == "" {
		return p
	}
	if text, err := os.ReadFile(f.Part + ".json"); err != nil || json.Unmarshal(text, &p.origin) != nil || p.Manifest != o.index.Manifest {
		p.origin = origin{}
		return p
	}
	data, err := os.ReadFile(f.Part)
	if err != nil || len(data) > bundle.MaxSize {
		return p
	}
	p.data = data
	p.trim(o.index)
	if p.Mirror != o.mirror {
		p.Tag = "" // another server's name for it
	}
	return p
}

// trim cuts off what is not whole or not good. It reports whether anything was.
func (p *partial) trim(i *Index) bool {
	before := len(p.data)
	m, _, _, err := bundle.ReadHead(p.data)
	switch {
	case errors.Is(err, bundle.ErrShort):
		return false // nothing can be said yet
	case err != nil || m.Digest() != i.signed.Digest():
		p.data = nil
	default:
		p.data = p.data[:bundle.Good(p.data)]
	}
	return len(p.data) < before
}

// keep puts on the disk what came so far.
func (p *partial) keep(o offer, tag string) {
	if p.path == "" || len(p.data) == 0 {
		return
	}
	text, err := json.Marshal(origin{o.mirror, tag, o.index.Manifest})
	if err != nil {
		return
	}
	// A transfer that cannot be kept begins anew next time; that is no error now.
	if err := WriteFile(p.path, p.data, 0o600); err == nil {
		_ = WriteFile(p.path+".json", text, 0o600)
	}
}

func (p *partial) drop() {
	if p.path != "" {
		_ = os.Remove(p.path)
		_ = os.Remove(p.path + ".json")
	}
}

// tries is how often a transfer is taken up again that does not get further.
const tries = 3

// whole fetches the bundle itself. What breaks off goes on where it was; a part
// that is damaged on its way is fetched again, and the others are not.
func (f *Fetcher) whole(ctx context.Context, o offer, out *Fetched) ([]byte, error) {
	name, size := FullName(o.index.Sequence), o.index.Size
	p := f.resume(o)
	out.Resumed = int64(len(p.data))
	tag := p.Tag
	reached, failed := len(p.data), 0
	var last error
	for int64(len(p.data)) < size {
		if failed == tries {
			p.keep(o, tag)
			return nil, last
		}
		if failed > 0 {
			if err := f.wait(ctx, failed); err != nil {
				p.keep(o, tag)
				return nil, err
			}
		}
		// Where going on did not help twice, a mirror may have no ranges or wrong ones:
		// it is asked for all of it, and what is here stays until that begins to come.
		from := int64(len(p.data))
		if failed == tries-1 {
			from = 0
		}
		r, err := o.source.open(ctx, name, from, tag)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, ErrNotServed) {
				p.keep(o, tag)
				return nil, err
			}
			last = err
			failed++
			continue
		}
		if r.from == 0 && len(p.data) > 0 {
			// No ranges there, or another file: all of it again.
			p.data, out.Resumed = nil, 0
		}
		tag = r.tag
		err = f.copy(r, p, o, out)
		r.Close()
		if ctx.Err() != nil {
			p.keep(o, tag)
			return nil, ctx.Err()
		}
		last = ErrTransfer.With(err)
		if p.trim(o.index) && err == nil || errors.Is(err, ErrDamaged) {
			last = ErrDamaged
		}
		if errors.Is(err, ErrSlow) {
			p.keep(o, tag)
			return nil, err
		}
		if int64(len(p.data)) >= size {
			break
		}
		// A server without ranges starts over each time: only getting further
		// than ever before is getting on.
		if failed++; len(p.data) > reached {
			reached, failed = len(p.data), 1
		}
	}
	if digest(p.data) != o.index.SHA256 {
		// The parts are good and the whole is another: the index is wrong, or the
		// file was changed outside its parts. Nothing of it is of use.
		p.drop()
		return nil, ErrDamaged
	}
	if err := f.accept(p.data); err != nil {
		p.drop()
		return nil, err
	}
	p.drop()
	return p.data, nil
}

// keepEvery is how many bytes at least may be lost with the power.
const keepEvery = 256 << 10

// copy appends what comes.
func (f *Fetcher) copy(r *reply, p *partial, o offer, out *Fetched) error {
	buffer := make([]byte, 32<<10)
	kept := len(p.data)
	in := f.paced(r, o)
	for {
		n, err := in.Read(buffer)
		if int64(len(p.data)+n) > o.index.Size {
			p.data = nil
			return ErrDamaged
		}
		p.data = append(p.data, buffer[:n]...)
		out.Bytes += int64(n)
		f.tell(Progress{o.mirror, FullName(o.index.Sequence), int64(len(p.data)), o.index.Size})
		if len(p.data)-kept >= max(keepEvery, len(p.data)/4) {
			p.keep(o, r.tag)
			kept = len(p.data)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *Fetcher) tell(p Progress) {
	if f.Progress != nil {
		f.Progress(p)
	}
}
