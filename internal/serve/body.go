package serve

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// bodyShape is what the description asks of a body, where it asks for no more
// than objects with certain members: a registration is described by a schema of
// its own. That can be seen in the text, and the validator, which decodes it all,
// need not be asked.
type bodyShape struct {
	required []string
	members  map[string]*bodyShape
	closed   bool // no other members
}

// shapeFields are the fields of a schema that are understood here, or ask for
// nothing.
var shapeFields = []string{"Extensions", "Origin", "Title", "Description", "Example", "Examples", "ExternalDocs",
	"Type", "Required", "Properties", "AdditionalProperties"}

// shapeOfBody gives the shape of an operation's JSON body, nil if its description
// asks for more.
func shapeOfBody(op *openapi3.Operation) *bodyShape {
	if op.RequestBody == nil || op.RequestBody.Value == nil || len(op.RequestBody.Value.Content) != 1 {
		return nil
	}
	m := op.RequestBody.Value.Content["application/json"]
	if m == nil || m.Schema == nil || len(m.Encoding) > 0 {
		return nil
	}
	return shapeOf(m.Schema.Value, 0)
}

func shapeOf(s *openapi3.Schema, depth int) *bodyShape {
	if s == nil || depth > 8 || s.Type == nil || !s.Type.Is("object") || s.AdditionalProperties.Schema != nil {
		return nil
	}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); !v.Field(i).IsZero() && !slices.Contains(shapeFields, f.Name) {
			return nil
		}
	}
	out := &bodyShape{required: s.Required, members: map[string]*bodyShape{}, closed: s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has}
	for name, p := range s.Properties {
		if out.members[name] = shapeOf(p.Value, depth+1); out.members[name] == nil {
			return nil
		}
	}
	return out
}

// fits reads the body of a request, puts it back, and reports whether it has the
// shape. False means that the validator has to say.
func (s *bodyShape) fits(r *http.Request) (bool, error) {
	if s == nil || r.Body == nil || r.Header.Get("Content-Type") != "application/json" {
		return false, nil
	}
	d, err := read(r.Body, r.ContentLength)
	if err != nil {
		return false, err
	}
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(d))
	if !json.Valid(d) {
		return false, nil
	}
	w := walker{d: d}
	return w.fits(s), nil
}

// Body reads a request's body of at most limit bytes: ErrTooLarge if it is longer.
func Body(r *http.Request, limit int64) ([]byte, error) {
	d, err := read(io.LimitReader(r.Body, limit+1), min(r.ContentLength, limit))
	if err == nil && int64(len(d)) > limit {
		return nil, ErrTooLarge
	}
	return d, err
}

// read reads what is announced to have a length in bytes; -1: nobody knows.
func read(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(min(length, 64<<10)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// walker steps over JSON whose grammar is known to be right.
type walker struct {
	d []byte
	i int
}

// next gives the next byte after white space.
func (w *walker) next() byte {
	for {
		switch c := w.d[w.i]; c {
		case ' ', '\t', '\n', '\r':
			w.i++
		default:
			return c
		}
	}
}

// text steps over a string and gives what is between its quotes.
func (w *walker) text() []byte {
	from := w.i + 1
	for w.i++; w.d[w.i] != '"'; w.i++ {
		if w.d[w.i] == '\\' {
			w.i++
		}
	}
	w.i++
	return w.d[from : w.i-1]
}

// skip steps over a value that is in an object.
func (w *walker) skip() {
	open := 0
	for {
		switch w.next() {
		case '"':
			w.text()
			if open == 0 {
				return
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			if open == 0 {
				return // the end of what the value is in
			}
			if open--; open == 0 {
				w.i++
				return
			}
		case ',':
			if open == 0 {
				return
			}
		}
		w.i++
	}
}

func (w *walker) fits(s *bodyShape) bool {
	if w.next() != '{' {
		return false
	}
	w.i++
	found := make([]bool, len(s.required))
	for w.next() != '}' {
		if w.d[w.i] == ',' {
			w.i++
			w.next()
		}
		name := w.text()
		if bytes.IndexByte(name, '\\') >= 0 {
			return false // which it is, the validator knows
		}
		w.next()
		w.i++ // the colon
		if n := slices.Index(s.required, string(name)); n >= 0 {
			found[n] = true
		}
		switch m, known := s.members[string(name)]; {
		case known && !w.fits(m), !known && s.closed:
			return false
		case !known:
			w.skip()
		}
	}
	w.i++
	return !slices.Contains(found, false)
}
