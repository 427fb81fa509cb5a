package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// shape compares a JSON text with the members and types of document before it
// is decoded: an unknown member, a null and a value of another type are
// refused with their place. Unknown names are not repeated.
func (l *loader) shape(data []byte) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		l.refuse("", "is JSON")
		return
	}
	l.fits(v, reflect.TypeFor[document](), "")
}

func (l *loader) fits(v any, t reflect.Type, path string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		o, ok := v.(map[string]any)
		if !ok {
			l.refuse(path, "is an object")
			return
		}
		var names []string
		seen := 0
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			names = append(names, name)
			member, there := o[name]
			if there {
				seen++
				l.fits(member, t.Field(i).Type, path+"/"+name)
			} else if options == "" {
				l.refuse(path+"/"+name, "is missing")
			}
		}
		if seen < len(o) {
			l.refuse(path, "has a member that is not known; allowed are: "+strings.Join(names, ", "))
		}
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			l.refuse(path, "is a list")
			return
		}
		for i, x := range list {
			if l.fits(x, t.Elem(), fmt.Sprintf("%s/%d", path, i)); len(l.fields) >= maxFields {
				return
			}
		}
	case reflect.String:
		if _, ok := v.(string); !ok {
			l.refuse(path, "is a text")
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			l.refuse(path, "is true or false")
		}
	case reflect.Int:
		n, ok := v.(json.Number)
		if !ok {
			l.refuse(path, "is a whole number")
			return
		}
		if _, err := n.Int64(); err != nil || len(n) > 9 {
			l.refuse(path, "is a whole number")
		}
	}
}
