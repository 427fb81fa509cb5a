package registrar

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// witnesses are the roles that witness consents to journeys.
var witnesses = []string{issuer.RoleNotary, issuer.RoleConsulate, issuer.RoleWitness, issuer.RoleCourt}

// witnessing is standing beside guardians who agree to a journey.
var witnessing = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/witness", h.pages.For(h.witnessPage, witnesses...))
		e.POST("/app/witness", h.pages.For(h.witness, witnesses...))
	},
	nav: func(role string) []web.NavItem {
		if slices.Contains(witnesses, role) {
			return []web.NavItem{{Href: "/app/witness", Label: "registrar.witness.nav"}}
		}
		return nil
	},
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if slices.Contains(witnesses, s.Account.Role) {
			return []card{{Title: "registrar.witness.title", Text: "registrar.witness.card", Href: "/app/witness"}}, nil
		}
		return nil, nil
	},
}

func (h routes) witnessPage(c echo.Context, _ account.Session) error {
	return h.witnessForm(c, web.Form{}, http.StatusOK)
}

func (h routes) witnessForm(c echo.Context, f web.Form, status int) error {
	return h.show(c, web.View{Page: "registrar/witness", Title: "registrar.witness.title", Form: f, Status: status, Styles: officeStyles})
}

// maxDossier bounds what guardians bring, in bytes.
const maxDossier = 640 << 10

// witness reads a dossier, shows what it says, and, when the witness has seen the
// persons and their papers, has the office sign it.
func (h routes) witness(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	f := web.Form{Values: v}
	text := v.Get("dossier")
	pasted := text != "" && len(text) <= maxDossier
	if file, err := c.FormFile("file"); err == nil && text == "" {
		r, err := file.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(io.LimitReader(r, maxDossier+1))
		r.Close()
		if err != nil {
			return err
		}
		text = string(b)
		v.Set("dossier", text)
	}
	var d issuer.Dossier
	if text == "" {
		f.Wrong("file", "registrar.witness.choose")
	} else if len(text) > maxDossier || vc.StrictJSON([]byte(text), &d, 4) != nil || d.Birth == "" || len(d.Consents) == 0 {
		f.Wrong("file", "registrar.witness.wrong-file")
	}
	if !f.Good() {
		if !pasted {
			v.Del("dossier")
		}
		return h.witnessForm(c, f, http.StatusUnprocessableEntity)
	}
	if ref := strings.TrimSpace(v.Get("reference")); ref != "" {
		d.Reference = ref
	}
	if v.Get("seen") == "" {
		if v.Get("sign") != "" {
			f.Wrong("seen", "registrar.witness.must-see")
		} else {
			v.Set("key", newRef())
		}
		return h.witnessCheck(c, f, d)
	}
	w, err := h.WitnessConsent(c.Request().Context(), caller(s), d, v.Get("key"))
	if err == nil {
		return h.show(c, web.View{Page: "registrar/witnessed", Title: "registrar.witness.done", Styles: officeStyles, Data: w})
	}
	if !mendable(err) {
		return err
	}
	x := fault.As(err)
	if x.Is(issuer.ErrBody) {
		f.Wrong("reference", "registrar.witness.wrong-reference")
	} else {
		h.blameAct(c, &f, err, "")
	}
	return h.witnessCheck(c, f, d)
}

func (h routes) witnessCheck(c echo.Context, f web.Form, d issuer.Dossier) error {
	status := http.StatusOK
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return h.show(c, web.View{Page: "registrar/witness-check", Title: "registrar.witness.title", Form: f, Status: status, Styles: officeStyles,
		Data: map[string]any{"Lines": h.dossierLines(c, d), "Dossier": f.Values.Get("dossier"), "Key": f.Values.Get("key"), "Consents": len(d.Consents)}})
}

// dossierLines writes what a dossier claims. Nothing of it is believed before the
// office examines it.
func (h routes) dossierLines(c echo.Context, d issuer.Dossier) []line {
	r := h.reader(c)
	var b vc.Birth
	if claimed(d.Birth, &b) {
		b.Names = spelled(b.Names)
		r.names(r.say("registrar.witness.child"), b.Names)
		r.add(r.say("registrar.born"), r.uncertain(b.BirthDate))
	}
	var guardians []string
	for _, x := range d.Guardianships {
		var g vc.Guardianship
		if claimed(x, &g) {
			guardians = append(guardians, nameOf(spelled(issuer.WithParentNames(&g, &b).Guardian.Names))+" – "+r.choice("registrar.role-", g.Role))
		}
	}
	r.add(r.say("registrar.witness.guardians"), guardians...)
	var t vc.TravelConsent
	if !claimed(d.Consents[0], &t) {
		return r.lines
	}
	var with []string
	for _, x := range t.Accompanying {
		with = append(with, nameOf(spelled(x.Names)))
	}
	r.add(r.say("registrar.witness.companions"), with...)
	var to []string
	for _, x := range t.Trip.Destinations {
		to = append(to, r.Country(x))
	}
	if t.Trip.DepartFrom != "" {
		r.add(r.say("registrar.witness.leaves"), r.Country(t.Trip.DepartFrom))
	}
	r.add(r.say("registrar.witness.goes"), to...)
	r.add(r.say("registrar.from"), r.day(t.Trip.NotBefore))
	r.add(r.say("registrar.until"), r.day(t.Trip.NotAfter))
	if t.Trip.ReturnBy != "" {
		r.add(r.say("registrar.witness.returns"), r.day(t.Trip.ReturnBy))
	}
	r.add(r.say("registrar.witness.purpose"), t.Trip.Purpose)
	return r.lines
}

// spelled writes out names that a credential has as machines read them alone: what
// goes to a border is kept small.
func spelled(names []vc.Name) []vc.Name {
	out := slices.Clone(names)
	for i, n := range out {
		if n.MRZ != nil && plainName(n) == "" {
			out[i].Full = strings.Join(strings.FieldsFunc(n.MRZ.Secondary+" "+n.MRZ.Primary, func(r rune) bool { return r == ' ' || r == '<' }), " ")
		}
	}
	return out
}

// claimed reads the subject of a credential without believing it.
func claimed(jwt string, into any) bool {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var body struct {
		Subject json.RawMessage `json:"credentialSubject"`
	}
	return err == nil && json.Unmarshal(raw, &body) == nil && json.Unmarshal(body.Subject, into) == nil
}
