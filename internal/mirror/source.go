package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is a mirror: a web server or a directory.
type source interface {
	// open gives a file from an offset on. A source may give it from the
	// beginning all the same, or because the file is another than the one with
	// this tag: reply.from tells.
	open(ctx context.Context, name string, from int64, tag string) (*reply, error)
	// inner gives the same mirror one directory below.
	inner(dir string) source
}

// reply is a file that is being read.
type reply struct {
	io.ReadCloser
	from int64
	tag  string // names this content, "" if the source has no names
}

// sourceOf reads an address or a directory's name.
func sourceOf(mirror string, client *http.Client) (source, error) {
	if !strings.Contains(mirror, "://") {
		return folder(mirror), nil
	}
	u, err := url.Parse(strings.TrimRight(mirror, "/"))
	switch {
	case err != nil, u.RawQuery != "", u.Fragment != "", u.User != nil, u.Opaque != "":
		return nil, ErrNoMirror.WithDetail("a mirror is an address such as https://mirror.example/bundles, or a directory").With(err)
	case u.Scheme == "file" && u.Host == "":
		return folder(u.Path), nil
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		return &web{u, client}, nil
	}
	return nil, ErrNoMirror.WithDetail("a mirror is an address such as https://mirror.example/bundles, or a directory")
}

// folder is a mirror on a disk or a stick.
type folder string

func (d folder) inner(dir string) source { return folder(filepath.Join(string(d), dir)) }

func (d folder) open(_ context.Context, name string, from int64, _ string) (*reply, error) {
	root, err := os.OpenRoot(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotServed.With(err)
	}
	if err != nil {
		return nil, ErrTransfer.With(err)
	}
	defer root.Close()
	// Nothing on a stick leads out of it, and nothing there that is not a file can
	// keep its reader waiting.
	if info, err := root.Stat(filepath.FromSlash(name)); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotServed.With(err)
	} else if err != nil {
		return nil, ErrTransfer.With(err)
	} else if !info.Mode().IsRegular() {
		return nil, ErrTransfer.WithDetail("what the directory has under this name is not a file")
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, ErrTransfer.With(err)
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		f.Close()
		return nil, ErrTransfer.With(err)
	}
	return &reply{ReadCloser: f, from: from}, nil
}

// web is a mirror behind any web server, with or without ranges.
type web struct {
	base   *url.URL
	client *http.Client
}

func (w *web) inner(dir string) source { return &web{w.base.JoinPath(dir), w.client} }

// stalled is how long a server may send nothing.
const stalled = 30 * time.Second

func (w *web) open(ctx context.Context, name string, from int64, tag string) (*reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	watch := time.AfterFunc(stalled, cancel)
	stop := func() { watch.Stop(); cancel() }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base.JoinPath(name).String(), nil)
	if err != nil {
		stop()
		return nil, ErrTransfer.With(err)
	}
	req.Header.Set("User-Agent", "kinpass-post")
	// What is counted is what is in the file, so that a transfer can go on.
	req.Header.Set("Accept-Encoding", "identity")
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		// A weak tag does not speak for bytes (RFC 9110, section 13.1.5).
		if tag != "" && !strings.HasPrefix(tag, "W/") {
			req.Header.Set("If-Range", tag)
		}
	}
	res, err := w.client.Do(req)
	if err != nil {
		stop()
		return nil, ErrTransfer.With(err)
	}
	out := &reply{ReadCloser: &watched{res.Body, watch, stop}, tag: res.Header.Get("ETag")}
	switch {
	case res.Header.Get("Content-Encoding") != "" && res.Header.Get("Content-Encoding") != "identity":
		out.Close()
		return nil, ErrTransfer.WithDetail("the mirror packs what it sends, though it was told not to")
	case res.StatusCode == http.StatusOK:
		return out, nil
	case res.StatusCode == http.StatusPartialContent && from > 0:
		if out.from = rangeStart(res.Header.Get("Content-Range")); out.from == from {
			return out, nil
		}
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable && from > 0:
		out.Close()
		return w.open(ctx, name, 0, "")
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		out.Close()
		return nil, ErrNotServed
	}
	out.Close()
	return nil, ErrTransfer.WithDetail("the mirror answers with status " + strconv.Itoa(res.StatusCode))
}

// rangeStart reads where a part begins, -1 if that is not said.
func rangeStart(header string) int64 {
	rest, ok := strings.CutPrefix(header, "bytes ")
	first, _, dash := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if !ok || !dash || err != nil || n < 0 {
		return -1
	}
	return n
}

// watched ends a transfer that does not go on.
type watched struct {
	io.ReadCloser
	watch *time.Timer
	stop  func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(stalled)
	n, err := w.ReadCloser.Read(p)
	if err != nil {
		w.watch.Stop()
	}
	return n, err
}

func (w *watched) Close() error {
	err := w.ReadCloser.Close()
	w.stop()
	return err
}

// A mirror that sends a byte now and then would hold a post for weeks. So it has
// to get on: fast while there is another mirror to ask, and else as slowly as a
// satellite telephone does at its worst.
const (
	hurried = 1024 // bytes per second
	patient = 64
	window  = 30 * time.Second // over which that is measured
)

// paced ends a transfer that is too slow.
type paced struct {
	io.Reader
	least  int64 // bytes per second
	window time.Duration
	since  time.Time
	got    int64
}

func (p *paced) Read(b []byte) (int, error) {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	n, err := p.Reader.Read(b)
	p.got += int64(n)
	if d := time.Since(p.since); err == nil && d >= p.window {
		if p.got*int64(time.Second) < p.least*int64(d) {
			return n, ErrSlow
		}
		p.since, p.got = time.Now(), 0
	}
	return n, err
}
