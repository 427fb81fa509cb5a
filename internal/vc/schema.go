//go:build !js

package vc

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/rdf"
)

//go:embed schemas
var schemaTree embed.FS

// ErrSchema says that a document does not have the shape of its schema. Its
// Fields name every place and the rule it broke.
var ErrSchema = fault.New(fault.Unprocessable, "schema-refused", "the document does not have the shape of its schema")

// maxFields bounds how many broken rules one refusal names.
const maxFields = 20

// SchemaFiles gives the JSON Schemas (draft 2020-12) by their path below
// SchemaBase, such as "credential/birth/1.json". The bytes are the caller's.
func SchemaFiles() map[string][]byte {
	files := map[string][]byte{}
	err := fs.WalkDir(schemaTree, "schemas", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := schemaTree.ReadFile(path)
		files[strings.TrimPrefix(path, "schemas/")] = data
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return files
}

// ContextFile gives the JSON-LD context that ContextKinpass names. The bytes
// are the caller's.
func ContextFile() []byte {
	body, ok := rdf.ContextFile(ContextKinpass)
	if !ok {
		panic("vc: the context is part of the binary")
	}
	return body
}

// schemaSet is what the embedded files compile to: the schemas by id, and every
// member name that they know, which is what may be repeated in an error.
type schemaSet struct {
	byID  map[string]*jsonschema.Schema
	quick map[string]*quick // by id, of those that have such a form
	names map[string]bool
}

// schemas compiles once, on first use, so that a program that never validates
// (the check in the browser) never pays for it.
var schemas = sync.OnceValues(func() (*schemaSet, error) {
	set := &schemaSet{byID: map[string]*jsonschema.Schema{}, quick: map[string]*quick{}, names: map[string]bool{}}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	files := SchemaFiles()
	for path, data := range files {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(SchemaBase+path, doc); err != nil {
			return nil, err
		}
		memberNames(doc, set.names)
	}
	for path := range files {
		s, err := c.Compile(SchemaBase + path)
		if err != nil {
			return nil, err
		}
		set.byID[SchemaBase+path] = s
		if q := quickly(s); q != nil {
			set.quick[SchemaBase+path] = q
		}
	}
	return set, nil
})

// noLoader refuses every schema that is not built in.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("schema is not built in") }

// memberNames collects the keys of every "properties" object.
func memberNames(doc any, names map[string]bool) {
	switch v := doc.(type) {
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok {
			for name := range props {
				names[name] = true
			}
		}
		for _, x := range v {
			memberNames(x, names)
		}
	case []any:
		for _, x := range v {
			memberNames(x, names)
		}
	}
}

// ValidateSchema checks one JSON document against the built-in schema id
// (Schema… constants) with formats asserted. It refuses what CheckJSON refuses
// (JSON nested deeper than MaxDepth, a member named twice) as it does, numbers
// that are not plain whole numbers, and everything the schema refuses with
// ErrSchema and at most twenty Fields. A field's path holds only member names
// that the schemas know, since a name the sender invented may be a person's
// data just as a value may. An unknown id is an internal error.
func ValidateSchema(id string, data []byte) error {
	set, err := schemas()
	if err != nil {
		return err
	}
	if set.byID[id] == nil {
		return errors.New("unknown schema")
	}
	if err := CheckJSON(data, MaxDepth); err != nil {
		return err
	}
	return set.check(id, data)
}

// validateChecked is ValidateSchema of JSON that CheckJSON has passed.
func validateChecked(id string, data []byte) error {
	set, err := schemas()
	if err != nil {
		return err
	}
	if set.byID[id] == nil {
		return errors.New("unknown schema")
	}
	return set.check(id, data)
}

// check validates JSON that was checked against a schema that is known.
func (set *schemaSet) check(id string, data []byte) error {
	// Nearly every document is as it should be, which takes a tenth of the time to
	// see. What else there is, and why, is the library's to say.
	if q := set.quick[id]; q != nil {
		if ok, _ := q.allows(data); ok {
			return nil
		}
	}
	return set.validate(set.byID[id], data)
}

// validate is ValidateSchema by the library, of JSON that was checked.
func (set *schemaSet) validate(schema *jsonschema.Schema, data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return ErrJSON.With(err)
	}
	r := refusal{set: set, doc: doc, schema: schema}
	// Before the validator, because it turns numbers into big rationals and an
	// exponent of six digits would keep it busy for seconds.
	if oddNumber(doc) {
		r.numbers(doc, nil)
		return ErrSchema.WithFields(r.list()...)
	}
	err := schema.Validate(doc)
	if err == nil {
		return nil
	}
	var verr *jsonschema.ValidationError
	if !errors.As(err, &verr) {
		return err
	}
	r.collect(verr)
	r.countUnknown()
	return ErrSchema.WithFields(r.list()...)
}

// refusal turns a validator's findings into fields that hold no value.
type refusal struct {
	set     *schemaSet
	schema  *jsonschema.Schema
	doc     any
	fields  []fault.Field
	seen    map[fault.Field]bool
	unknown map[string]*strangers // by the JSON pointer of the parent
}

// strangers are the members of one object that its schema does not know.
type strangers struct {
	names   map[string]bool
	allowed []string
}

// maxAllowed bounds how many allowed members a refusal names.
const maxAllowed = 16

// unknownMember notes a member of the object at parent that its schema does not
// know. One that the schema knows is reported as unevaluated only because
// something in it or beside it was refused.
func (r *refusal) unknownMember(parent []string, name string) {
	allowed := r.allowed(parent)
	if _, known := slices.BinarySearch(allowed, name); known {
		return
	}
	at := r.pointer(parent)
	if r.unknown == nil {
		r.unknown = map[string]*strangers{}
	}
	if r.unknown[at] == nil {
		r.unknown[at] = &strangers{names: map[string]bool{}, allowed: allowed}
	}
	r.unknown[at].names[name] = true
}

// countUnknown says of each object how many unknown members it has and which it
// may have. The unknown names are not repeated.
func (r *refusal) countUnknown() {
	for at, s := range r.unknown {
		rule := "has a member that is not allowed"
		if n := len(s.names); n > 1 {
			rule = "has " + strconv.Itoa(n) + " members that are not allowed"
		}
		if len(s.allowed) > 0 && len(s.allowed) <= maxAllowed {
			rule += "; allowed are: " + strings.Join(s.allowed, ", ")
		}
		r.note(fault.Field{Path: at, Rule: rule})
	}
	if len(r.fields) == 0 {
		r.add(nil, "has a member that is not allowed")
	}
}

// allowed gives the members, in order, that any branch of the schema knows in
// the object at a place.
func (r *refusal) allowed(at []string) []string {
	places := []*jsonschema.Schema{r.schema}
	for _, token := range at {
		var below []*jsonschema.Schema
		for _, s := range branches(places) {
			if p := s.Properties[token]; p != nil {
				below = append(below, p)
			}
			if _, err := strconv.Atoi(token); err == nil && s.Items2020 != nil {
				below = append(below, s.Items2020)
			}
		}
		places = below
	}
	var names []string
	for _, s := range branches(places) {
		for name, p := range s.Properties {
			if p.Bool == nil || *p.Bool {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// branches gives the schemas and all that they apply to the same place.
func branches(places []*jsonschema.Schema) []*jsonschema.Schema {
	var list []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{}
	for queue := slices.Clone(places); len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s == nil || seen[s] {
			continue
		}
		seen[s] = true
		list = append(list, s)
		queue = append(append(append(queue, s.AllOf...), s.AnyOf...), s.OneOf...)
		queue = append(queue, s.Ref, s.Then, s.Else)
	}
	return list
}

func (r *refusal) add(at []string, rule string) {
	r.note(fault.Field{Path: r.pointer(at), Rule: rule})
}

func (r *refusal) note(f fault.Field) {
	if r.seen == nil {
		r.seen = map[fault.Field]bool{}
	}
	if !r.seen[f] {
		r.seen[f] = true
		r.fields = append(r.fields, f)
	}
}

// list gives the fields in the order of their paths: the validator walks maps,
// and the same document should be refused in the same words each time.
func (r *refusal) list() []fault.Field {
	sort.SliceStable(r.fields, func(i, j int) bool {
		if r.fields[i].Path != r.fields[j].Path {
			return r.fields[i].Path < r.fields[j].Path
		}
		return r.fields[i].Rule < r.fields[j].Rule
	})
	if len(r.fields) > maxFields {
		r.fields = r.fields[:maxFields]
	}
	return r.fields
}

// pointer writes a JSON pointer and stops before the first member name that no
// schema knows.
func (r *refusal) pointer(at []string) string {
	var b strings.Builder
	node := r.doc
	for _, token := range at {
		switch v := node.(type) {
		case map[string]any:
			if !r.set.names[token] {
				return b.String()
			}
			node = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return b.String()
			}
			node = v[i]
		default:
			return b.String()
		}
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// oddNumber reports whether a number has a fraction, an exponent or more than
// fifteen digits: nothing in our documents has them, and Go's integers would
// not.
func oddNumber(node any) bool {
	switch v := node.(type) {
	case json.Number:
		digits := strings.TrimPrefix(v.String(), "-")
		return len(digits) > 15 || strings.Trim(digits, "0123456789") != ""
	case map[string]any:
		for _, x := range v {
			if oddNumber(x) {
				return true
			}
		}
	case []any:
		for _, x := range v {
			if oddNumber(x) {
				return true
			}
		}
	}
	return false
}

// numbers names the places of odd numbers.
func (r *refusal) numbers(node any, at []string) {
	switch v := node.(type) {
	case json.Number:
		if oddNumber(v) {
			r.add(at, "must be a plain whole number")
		}
	case map[string]any:
		for name, x := range v {
			r.numbers(x, append(at, name))
		}
	case []any:
		for i, x := range v {
			r.numbers(x, append(at, strconv.Itoa(i)))
		}
	}
}

// collect walks to the leaves of a validation error.
func (r *refusal) collect(e *jsonschema.ValidationError) {
	if any, ok := e.ErrorKind.(*kind.AnyOf); ok {
		r.add(e.InstanceLocation, anyOfRule(any, e.Causes))
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			r.collect(cause)
		}
		return
	}
	at := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			r.add(at, "is required: "+name)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			r.unknownMember(at, name)
		}
	case *kind.FalseSchema:
		if len(at) == 0 {
			r.add(at, "is not what the schema allows")
			break
		}
		r.unknownMember(at[:len(at)-1], at[len(at)-1])
	default:
		r.add(at, leafRule(e))
	}
}

// anyOfRule names the members of which one is needed, where that is what the
// alternatives ask for.
func anyOfRule(_ *kind.AnyOf, causes []*jsonschema.ValidationError) string {
	var names []string
	for _, c := range causes {
		for len(c.Causes) == 1 {
			c = c.Causes[0]
		}
		if k, ok := c.ErrorKind.(*kind.Required); ok {
			names = append(names, k.Missing...)
		}
	}
	if len(names) == 0 {
		return "has none of the forms that are allowed"
	}
	return "needs one of: " + strings.Join(names, ", ")
}

// leafRule is the sentence for one broken keyword. It takes words from the
// schema only, never from the instance.
func leafRule(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		words := make([]string, len(k.Want))
		for i, w := range k.Want {
			words[i] = scalar(w)
		}
		return "must be one of: " + strings.Join(words, ", ")
	case *kind.Const:
		if w := scalar(k.Want); w != "" {
			return "must be " + w
		}
		return "must be the value that the schema fixes"
	case *kind.Format:
		return "must be a valid " + k.Want
	case *kind.Pattern:
		return "must match the pattern for " + lastName(e)
	case *kind.MinLength:
		if k.Want == 1 {
			return "must not be empty"
		}
		return "must have at least " + strconv.Itoa(k.Want) + " characters"
	case *kind.MaxLength:
		return "must have at most " + strconv.Itoa(k.Want) + " characters"
	case *kind.MinItems:
		return "must have at least " + strconv.Itoa(k.Want) + " entries"
	case *kind.MaxItems:
		return "must have at most " + strconv.Itoa(k.Want) + " entries"
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	case *kind.UniqueItems:
		return "must not hold an entry twice"
	case *kind.Not:
		return "has members that exclude one another"
	}
	return "is not what the schema allows"
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// lastName gives the definition or member a pattern stands in.
func lastName(e *jsonschema.ValidationError) string {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	segments := strings.Split(fragment, "/")
	for i := len(segments) - 1; i > 0; i-- {
		if segments[i-1] == "$defs" || segments[i-1] == "properties" {
			return segments[i]
		}
	}
	return "this member"
}
