// Package reference is the page that describes a service's HTTP interface to
// programmers, made from the API's description. It loads nothing from anywhere
// else, needs nobody to sign in and works without a script.
package reference

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/web"
)

//go:embed pages messages static
var files embed.FS

// App is what the page is made of.
var App = web.App{Name: "reference", Files: files}

// Routes adds the page of a role, /app/api, to its server.
func Routes(s *serve.Server, p *account.Pages, role string) {
	// Few ask for it, and reading the description takes longer than all else that a
	// service does to start.
	read := sync.OnceValues(func() (Description, error) { return Read(api.Spec, role) })
	s.Echo.GET("/app/api", func(c echo.Context) error {
		if p.Site().Switch(c.Response(), c.Request()) {
			return nil
		}
		d, err := read()
		if err != nil {
			return err
		}
		query := c.QueryParam("q")
		found := d.Find(query)
		return p.Show(c.Response(), c.Request(), web.View{Page: "reference/api", Title: "reference.title",
			Styles: []string{"reference/reference.css"}, Scripts: []string{"reference/reference.js"},
			Data: map[string]any{"All": d, "Found": found, "Query": query, "Number": found.operations()}})
	})
	s.Echo.GET("/app/api/openapi.yaml", func(c echo.Context) error {
		return serve.Bytes(c, http.StatusOK, "application/yaml", api.Spec, "no-cache")
	})
}

// Description is what one role offers.
type Description struct {
	Title, Version, Text string
	Groups               []Group
	Schemas              []Schema // that the operations name
}

// Group is operations whose paths begin alike.
type Group struct {
	Name       string
	Operations []Operation
}

// Operation is one request that a program can make.
type Operation struct {
	ID, Method, Path, Summary, Text string

	Token      bool // it needs an API token, or a session
	Parameters []Field
	Bodies     []Content
	Answers    []Answer
}

// Content is what a body holds.
type Content struct {
	Media   string
	Type    Type
	Fields  []Field
	Example string
}

// Answer is one way that a service answers.
type Answer struct {
	Status, Text string
	Contents     []Content
}

// Schema is a shape that has a name.
type Schema struct {
	Name, Text string
	Type       Type
	Fields     []Field
}

// Field is a member of an object, or a parameter.
type Field struct {
	Name, Text, In string
	Type           Type
	Required       bool
	Depth          int
}

// Type is what a value is, in words, with the schema that it names.
type Type struct {
	Words string
	Name  string // of a schema, "" if it names none
	List  bool   // a list of them
}

// Read takes from an OpenAPI description what is for one role.
func Read(spec []byte, role string) (Description, error) {
	t, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return Description{}, err
	}
	if err := t.Validate(context.Background()); err != nil {
		return Description{}, err
	}
	d := Description{Title: t.Info.Title, Version: t.Info.Version}
	if tag := t.Tags.Get(role); tag != nil {
		d.Text = tag.Description
	}
	r := reader{named: map[string]*openapi3.SchemaRef{}}
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for p := range t.Paths.Map() {
			if !yield(p) {
				return
			}
		}
	}) {
		item := t.Paths.Find(path)
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			op := item.GetOperation(method)
			if op == nil || !slices.Contains(op.Tags, role) {
				continue
			}
			x, err := r.operation(method, path, item, op)
			if err != nil {
				return Description{}, fmt.Errorf("%s %s: %w", method, path, err)
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			name = "/" + name
			if n := len(d.Groups); n == 0 || d.Groups[n-1].Name != name {
				d.Groups = append(d.Groups, Group{Name: name})
			}
			g := &d.Groups[len(d.Groups)-1]
			g.Operations = append(g.Operations, x)
		}
	}
	// What a shape names is described too.
	done := map[string]bool{}
	for len(done) < len(r.named) {
		for name, s := range r.named {
			if done[name] {
				continue
			}
			done[name] = true
			d.Schemas = append(d.Schemas, Schema{Name: name, Text: tidy(s.Value.Description), Type: r.inside(s.Value), Fields: r.fields(s.Value, 0)})
			break // the map may have grown
		}
	}
	slices.SortFunc(d.Schemas, func(a, b Schema) int { return cmp.Compare(a.Name, b.Name) })
	return d, nil
}

// Find gives the description with the operations that have every word of the
// query, in whatever case; all for an empty one. Schemas go by their name alone.
func (d Description) Find(query string) Description {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return d
	}
	has := func(texts ...string) bool {
		all := strings.ToLower(strings.Join(texts, " "))
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) })
	}
	out := d
	out.Groups, out.Schemas = nil, nil
	for _, g := range d.Groups {
		var found []Operation
		for _, o := range g.Operations {
			if has(o.Words()) {
				found = append(found, o)
			}
		}
		if len(found) > 0 {
			out.Groups = append(out.Groups, Group{g.Name, found})
		}
	}
	for _, s := range d.Schemas {
		if has(s.Words()) {
			out.Schemas = append(out.Schemas, s)
		}
	}
	return out
}

// Words is what a search looks at.
func (o Operation) Words() string {
	out := []string{o.Method, o.Path, o.ID, o.Summary, o.Text}
	for _, f := range o.Parameters {
		out = append(out, f.Name)
	}
	for _, b := range o.Bodies {
		out = append(out, b.Media, b.Type.Name)
	}
	return strings.ToLower(strings.Join(out, " "))
}

// Words is what a search looks at.
func (s Schema) Words() string {
	out := []string{s.Name, s.Text}
	for _, f := range s.Fields {
		out = append(out, f.Name)
	}
	return strings.ToLower(strings.Join(out, " "))
}

func (d Description) operations() int {
	n := 0
	for _, g := range d.Groups {
		n += len(g.Operations)
	}
	return n
}

// reader gathers the schemas that what it reads names.
type reader struct {
	named map[string]*openapi3.SchemaRef
}

func (r *reader) operation(method, path string, item *openapi3.PathItem, op *openapi3.Operation) (Operation, error) {
	x := Operation{ID: op.OperationID, Method: method, Path: path, Summary: tidy(op.Summary), Text: tidy(op.Description)}
	x.Token = op.Security != nil && len(*op.Security) > 0
	for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
		x.Parameters = append(x.Parameters, Field{Name: p.Value.Name, In: p.Value.In, Text: tidy(p.Value.Description), Required: p.Value.Required, Type: r.kind(p.Value.Schema)})
	}
	if op.RequestBody != nil {
		x.Text = strings.TrimSpace(x.Text + " " + tidy(op.RequestBody.Value.Description))
		c, err := r.contents(op.RequestBody.Value.Content)
		if err != nil {
			return x, err
		}
		x.Bodies = c
	}
	answers := op.Responses.Map()
	for _, status := range slices.Sorted(func(yield func(string) bool) {
		for s := range answers {
			if !yield(s) {
				return
			}
		}
	}) {
		a := Answer{Status: status}
		if v := answers[status].Value; v != nil {
			if v.Description != nil {
				a.Text = tidy(*v.Description)
			}
			c, err := r.contents(v.Content)
			if err != nil {
				return x, err
			}
			a.Contents = c
		}
		x.Answers = append(x.Answers, a)
	}
	return x, nil
}

func (r *reader) contents(all openapi3.Content) ([]Content, error) {
	var out []Content
	for media, m := range all {
		c := Content{Media: media, Type: r.kind(m.Schema)}
		if m.Schema != nil && c.Type.Name == "" {
			c.Fields = r.fields(m.Schema.Value, 0)
		}
		if m.Example != nil {
			b, err := json.MarshalIndent(m.Example, "", "  ")
			if err != nil {
				return nil, err
			}
			c.Example = string(b)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Content) int { return cmp.Compare(a.Media, b.Media) })
	return out, nil
}

// kind says what a value is.
func (r *reader) kind(s *openapi3.SchemaRef) Type {
	if s == nil || s.Value == nil {
		return Type{Words: "any"}
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		if _, known := r.named[name]; !known {
			r.named[name] = s
		}
		return Type{Words: name, Name: name}
	}
	return r.inside(s.Value)
}

// inside says what a value is whose schema has no name.
func (r *reader) inside(v *openapi3.Schema) Type {
	switch {
	case len(v.OneOf)+len(v.AnyOf) > 0:
		var all []string
		name := ""
		for _, o := range append(slices.Clone(v.OneOf), v.AnyOf...) {
			k := r.kind(o)
			all, name = append(all, k.Words), cmp.Or(name, k.Name)
		}
		return Type{Words: strings.Join(all, " or "), Name: name}
	case len(v.AllOf) > 0:
		return r.kind(v.AllOf[0])
	case v.Type.Is("array"):
		k := r.kind(v.Items)
		k.Words, k.List = "list of "+k.Words, true
		return k
	}
	words := "any"
	if types := v.Type.Slice(); len(types) > 0 {
		words = strings.Join(types, " or ")
	}
	if v.Format != "" {
		words += " (" + v.Format + ")"
	}
	var limits []string
	if len(v.Enum) > 0 {
		for _, e := range v.Enum {
			limits = append(limits, fmt.Sprint(e))
		}
		words += ": " + strings.Join(limits, ", ")
	}
	if v.MaxLength != nil {
		words += fmt.Sprintf(", at most %d characters", *v.MaxLength)
	}
	if v.Nullable {
		words += " or null"
	}
	return Type{Words: words}
}

// fields lists the members of an object with those of the objects in it that
// have no name.
func (r *reader) fields(v *openapi3.Schema, depth int) []Field {
	if v == nil || depth > 4 {
		return nil
	}
	if v.Type.Is("array") && v.Items != nil && v.Items.Ref == "" {
		return r.fields(v.Items.Value, depth)
	}
	var out []Field
	for _, part := range v.AllOf {
		out = append(out, r.fields(part.Value, depth)...)
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range v.Properties {
			if !yield(n) {
				return
			}
		}
	}) {
		p := v.Properties[name]
		out = append(out, Field{Name: name, Text: tidy(p.Value.Description), Type: r.kind(p), Required: slices.Contains(v.Required, name), Depth: depth})
		if p.Ref == "" {
			out = append(out, r.fields(p.Value, depth+1)...)
		}
	}
	return out
}

// tidy puts a text of several lines on one.
func tidy(s string) string { return strings.Join(strings.Fields(s), " ") }
