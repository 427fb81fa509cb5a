package registrar

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/web"
)

// TestCorrectionKeepsNames: a name that the form calls legal stays what it is on
// the record, and so do the names that the form does not show.
func TestCorrectionKeepsNames(t *testing.T) {
	name := func(kind, script, given string) vc.Name {
		return vc.Name{Kind: kind, Script: script, Given: []string{given}, Family: []string{"Doe"}}
	}
	old := &vc.Birth{Names: []vc.Name{name("legal", "Latn", "Ann"), name("former", "Latn", "Anna"), name("usual", "Latn", "Annie"), name("alias", "Latn", "Nan")}}
	said, _ := birthOf(&web.Form{Values: valuesOf(old)}, "x")
	v := valuesOf(old)
	same, _ := birthOf(&web.Form{Values: v}, "x")
	newNames(same, said, old)
	keep(same, said, old)
	if !reflect.DeepEqual(same.Names, old.Names) {
		t.Errorf("unchanged: %s", kinds(same.Names))
	}
	v = url.Values(valuesOf(old))
	v.Set("child-given", "Jo")
	b, _ := birthOf(&web.Form{Values: v}, "x")
	newNames(b, said, old)
	keep(b, said, old)
	if kinds(b.Names) != kinds(old.Names) || b.Names[0].Given[0] != "Jo" || !reflect.DeepEqual(b.Names[1:], old.Names[1:]) {
		t.Errorf("changed: %+v", b.Names)
	}
}

func kinds(names []vc.Name) (out string) {
	for _, n := range names {
		out += n.Kind + " "
	}
	return out
}
