package verifier

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

var (
	omar  = serve.Caller{ID: "account-omar", Name: "Omar", Role: RoleOfficer}
	olga  = serve.Caller{ID: "account-olga", Name: "Olga", Role: RoleOfficer}
	sofia = serve.Caller{ID: "account-sofia", Name: "Sofia", Role: RoleSupervisor}
	anna  = serve.Caller{ID: "account-anna", Name: "Anna", Role: RoleAuditor}
)

func reported(id string, at time.Time) Record {
	return Record{ID: id, At: at, Colour: "red", Codes: []string{"NO_AUTHORITY"}, Bundle: "bundle-1", BundleAge: 60, StatusAge: 3600,
		Policies: []string{"generic/1"}, Post: "Gate 4"}
}

func passed(id string, at time.Time) Record {
	r := reported(id, at)
	r.Override = &Override{Act: ActPass, Reason: "The mother stands here, the phone broke.", Second: "4711", At: at}
	return r
}

// TestReport: what a device decided is listed with what the service decided, once
// however often it is sent, and goes when its time is over.
func TestReport(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		v := w.verifier(db)
		now := w.now()
		list := []Record{reported("device-check-0001", now.Add(-time.Hour)), passed("device-check-0002", now)}
		list[1].Override.Reason = "  It is\nhis aunt \u202ereally\x00 so "
		for i, want := range []int{2, 0} {
			if n, err := v.Report(ctx, omar, list); err != nil || n != want {
				t.Fatalf("sent %d times: %d new, %v", i+1, n, err)
			}
		}
		// Another account cannot change it either.
		changed := reported("device-check-0001", now)
		changed.Colour = "green"
		if n, err := v.Report(ctx, olga, []Record{changed}); err != nil || n != 0 {
			t.Fatalf("%d, %v", n, err)
		}
		got, err := w.verifier(db).Records(ctx, "", 10) // another replica
		if err != nil || len(got) != 2 {
			t.Fatalf("%d records, %v", len(got), err)
		}
		if r := got[1]; r.ID != "device-check-0001" || r.Colour != "red" || r.Post != "Gate 4" || r.Override != nil || !r.ReportedBy(omar.ID) || r.ReportedBy(olga.ID) || r.ReportedBy("") || r.NeedsSecond() {
			t.Errorf("%+v", r)
		}
		if r := got[0]; r.Override == nil || r.Override.Reason != "It is his aunt really so" || r.Override.Person != "Omar" || r.Override.Answer != "" || !r.NeedsSecond() {
			t.Errorf("%+v", r)
		}
		// What is older than records are kept is not taken up again.
		if n, err := v.Report(ctx, omar, []Record{reported("device-check-0003", now.Add(-31*24*time.Hour))}); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		w.wait(30*24*time.Hour + time.Second)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if text := everything(t, db); strings.Contains(text, "device-check") || strings.Contains(text, "aunt") {
			t.Error("a report is kept after its time")
		}
	})
}

// TestReportRefuses: what no post sends is not taken, and nothing of what was
// sent with it.
func TestReportRefuses(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		v := w.verifier(db)
		now := w.now()
		good := reported("device-check-0001", now)
		for name, change := range map[string]func(*Record){
			"no id":                   func(r *Record) { r.ID = "" },
			"a short id":              func(r *Record) { r.ID = "short" },
			"a strange id":            func(r *Record) { r.ID = "device-check-<b>x</b>" },
			"no colour":               func(r *Record) { r.Colour = "" },
			"another colour":          func(r *Record) { r.Colour = "Green" },
			"no codes":                func(r *Record) { r.Codes = nil },
			"a name for a code":       func(r *Record) { r.Codes = []string{"Amina Okello"} },
			"too many codes":          func(r *Record) { r.Codes = make([]string, 65) },
			"a strange bundle":        func(r *Record) { r.Bundle = "<script>" },
			"a strange policy":        func(r *Record) { r.Policies = []string{"a b"} },
			"an empty policy":         func(r *Record) { r.Policies = []string{""} },
			"no time":                 func(r *Record) { r.At = time.Time{} },
			"a time to come":          func(r *Record) { r.At = now.Add(time.Hour) },
			"a long name of the post": func(r *Record) { r.Post = strings.Repeat("é", 61) },
			"an age below none":       func(r *Record) { r.StatusAge = -2 },
			"another act":             func(r *Record) { r.Override = passed("", now).Override; r.Override.Act = "detain" },
			"a short reason":          func(r *Record) { r.Override = passed("", now).Override; r.Override.Reason = "   ok      " },
			"a long reason":           func(r *Record) { r.Override = passed("", now).Override; r.Override.Reason = strings.Repeat("a", 501) },
			"red and nobody else":     func(r *Record) { r.Override = passed("", now).Override; r.Override.Second = " " },
			"a long second":           func(r *Record) { r.Override = passed("", now).Override; r.Override.Second = strings.Repeat("a", 61) },
			"an override to come":     func(r *Record) { r.Override = passed("", now).Override; r.Override.At = now.Add(time.Hour) },
			"an override at no time":  func(r *Record) { r.Override = passed("", now).Override; r.Override.At = time.Time{} },
		} {
			bad := reported("device-check-0002", now)
			change(&bad)
			if _, err := v.Report(ctx, omar, []Record{good, bad}); !errors.Is(err, ErrReport) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, list := range map[string][]Record{"none": nil, "too many": make([]Record, maxReports+1)} {
			if _, err := v.Report(ctx, omar, list); !errors.Is(err, ErrReport) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, c := range []serve.Caller{sofia, anna, {}} {
			if _, err := v.Report(ctx, c, []Record{good}); !errors.Is(err, serve.ErrRole) {
				t.Errorf("%s may report: %v", c.Role, err)
			}
		}
		if list, err := v.Records(ctx, "", 10); err != nil || len(list) != 0 {
			t.Fatalf("%d records, %v", len(list), err)
		}
	})
}

// TestOverrideTakesTwo: somebody else than the officer answers for letting pass
// what is red, once; an answer names who gave it.
func TestOverrideTakesTwo(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		v := w.verifier(db)
		now := w.now()
		amber := passed("device-check-amber", now)
		amber.Colour, amber.Override.Second = "amber", ""
		harder := passed("device-check-harder", now)
		harder.Override.Act, harder.Override.Second = ActSecondLine, ""
		all := []Record{passed("device-check-0001", now), passed("device-check-0002", now), amber, harder, reported("device-check-plain", now)}
		if _, err := v.Report(ctx, omar, all); err != nil {
			t.Fatal(err)
		}
		if list, err := v.Overrides(ctx, false); err != nil || len(list) != 4 {
			t.Fatalf("%d overrides, %v", len(list), err)
		}
		if list, err := v.Overrides(ctx, true); err != nil || len(list) != 2 {
			t.Fatalf("%d wait, %v", len(list), err)
		}
		for _, c := range []struct {
			by   serve.Caller
			id   string
			want error
		}{
			{omar, "device-check-0001", ErrOwnOverride}, {anna, "device-check-0001", serve.ErrRole}, {serve.Caller{}, "device-check-0001", serve.ErrRole},
			{sofia, "device-check-none", ErrNoSuchOverride}, {sofia, "device-check-plain", ErrNoSuchOverride}, {sofia, "", ErrNoSuchOverride},
			{sofia, "device-check-amber", ErrNoSuchOverride}, {sofia, "device-check-harder", ErrNoSuchOverride},
			{sofia, "device-check-0001", nil}, {olga, "device-check-0001", ErrAnswered}, {omar, "device-check-0001", ErrOwnOverride},
		} {
			if err := v.Answer(ctx, c.by, c.id, true); !errors.Is(err, c.want) {
				t.Errorf("%s answers for %s: %v, want %v", c.by.Name, c.id, err, c.want)
			}
		}
		// Two answer at the same time: one is heard.
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, c := range []serve.Caller{olga, sofia} {
			wg.Go(func() { errs[i] = w.verifier(db).Answer(ctx, c, "device-check-0002", false) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), ErrAnswered) {
			t.Errorf("%v", errs)
		}
		list, err := v.Overrides(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		answers := map[string]string{}
		for _, r := range list {
			answers[r.ID] = r.Override.Answer + " " + r.Override.By
		}
		if answers["device-check-0001"] != "confirmed Sofia" || !strings.HasPrefix(answers["device-check-0002"], "denied ") {
			t.Errorf("%v", answers)
		}
		if waiting, err := v.Overrides(ctx, true); err != nil || len(waiting) != 0 {
			t.Errorf("%d wait, %v", len(waiting), err)
		}
	})
}
