package issuer

import (
	"testing"
	"time"
)

func amendedBirth(reason string, more edits) edits {
	return with(edits{"/recordVersion": 2, "/amendment": js(`{"reason":"` + reason + `","effective":"2024-01-01"}`)}, more)
}

// sealedBirth is a new version 1 with adoptive parents M-2 and F-2 in place of
// those by birth, unless more says otherwise.
func sealedBirth(reason string, more edits) edits {
	return with(edits{
		"/recordVersion": 1, "/amendment": js(`{"reason":"` + reason + `","effective":"2024-01-01","sealed":true}`),
		"/parentage/0/filiation": "adoption", "/parentage/1/filiation": "adoption",
		"/parentage/0/personRef": "M-2", "/parentage/1/personRef": "F-2", "/registration/number": "NPL-2024-1",
	}, more)
}

func TestCorrectionNeedsApproval(t *testing.T) {
	foundling := edits{"/circumstance": "foundling", "/parentage": []any{}, "/placeOfBirth/status": "foundAt", "/registration/informant": "police"}
	late := edits{"/registration/mode": "late"}
	for _, tc := range []struct {
		name     string
		old, new edits
		want     bool
	}{
		{"name changed", nil, amendedBirth("nameChange", edits{"/names/0/given/0": "Kavita", "/names/0/mrz": gone{}}), false},
		{"sex marker", nil, amendedBirth("sexMarker", edits{"/sex": 1}), false},
		{"clerical correction of the place", nil, amendedBirth("clericalCorrection", edits{"/placeOfBirth/locality": "Butwal"}), false},
		{"no parents before or after", edits{"/parentage": []any{}}, amendedBirth("nameChange", edits{"/parentage": []any{}}), false},
		{"late record", late, amendedBirth("nameChange", late), true},
		{"late before and timely now", late, amendedBirth("clericalCorrection", nil), true},
		{"timely before and late now", nil, amendedBirth("clericalCorrection", late), true},
		{"foundling no more", foundling, amendedBirth("clericalCorrection", nil), true},
		{"circumstance changed", nil, amendedBirth("clericalCorrection", edits{"/circumstance": "inTransit"}), true},
		{"sealed sex marker", nil, sealedBirth("sexMarker", edits{"/parentage/0/filiation": "birth", "/parentage/1/filiation": "maritalPresumption", "/parentage/0/personRef": "M-1", "/parentage/1/personRef": "F-1"}), true},
		{"parent added", nil, amendedBirth("parentAdded", nil), true},
		{"parent removed", nil, amendedBirth("parentRemoved", nil), true},
		{"adopted simply", nil, amendedBirth("simpleAdoption", edits{"/parentage/-": js(`{"role":"parent","status":"known","filiation":"adoption"}`)}), true},
		{"adopted", nil, sealedBirth("plenaryAdoption", nil), true},
		{"protected", nil, sealedBirth("protectionIdentity", nil), true},
		{"another father by clerical correction", nil, amendedBirth("clericalCorrection", edits{"/parentage/1/personRef": "F-2"}), true},
		{"a father's status by clerical correction", nil, amendedBirth("clericalCorrection", edits{"/parentage/1/status": "deceased"}), true},
		{"a father's birth date by clerical correction", nil, amendedBirth("clericalCorrection", edits{"/parentage/1/birthDate/value": "1991"}), true},
	} {
		if got := CorrectionNeedsApproval(mustBirth(t, tc.old), mustBirth(t, tc.new)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestKeepsMandate(t *testing.T) {
	court := decided("courtOrder", "legalGuardian", "2024-01-01", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9"}`)})
	adoptive := decided("adoptionPlenary", "mother", "2024-01-01", edits{"/guardian/personRef": "M-2"})
	nameOnly := edits{"/guardian/personRef": gone{}, "/guardian/birthDate": gone{}}
	noRefs := edits{"/parentage/0/personRef": gone{}, "/parentage/1/personRef": gone{}}
	nobody := js(`{"role":"mother","status":"unknown"}`)
	for _, tc := range []struct {
		name     string
		guardian edits
		ward     edits
		now      time.Time
		want     bool
	}{
		{"name changed", nil, amendedBirth("nameChange", nil), dataDay, true},
		{"uncorrected", nil, nil, dataDay, true},
		{"another child", nil, edits{"/childRef": otherRef}, dataDay, false},
		{"born a day later than the mandate begins", nil, amendedBirth("clericalCorrection", edits{"/birthDate/value": "2020-03-01"}), dataDay, true},
		{"mandate to the end of childhood, born a day earlier", edits{"/effective/until": "2038-02-28"}, amendedBirth("clericalCorrection", edits{"/birthDate/value": "2020-02-27"}), dataDay, true},
		{"of age by the new date", nil, amendedBirth("clericalCorrection", edits{"/birthDate/value": "2008-11-20", "/parentage/0/birthDate/value": "1980-01-01"}), dataDay, false},
		{"of age in time", nil, amendedBirth("nameChange", nil), time.Date(2038, 3, 1, 0, 0, 0, 0, time.UTC), false},
		{"over before", edits{"/effective/until": "2024-01-01"}, amendedBirth("nameChange", nil), dataDay, true},
		{"the other parent died", nil, amendedBirth("clericalCorrection", edits{"/parentage/1/status": "deceased"}), dataDay, true},
		{"the mother herself died", nil, amendedBirth("clericalCorrection", edits{"/parentage/0/status": "deceased"}), dataDay, false},
		{"the mother was removed", nil, amendedBirth("parentRemoved", edits{"/parentage/0": nobody}), dataDay, false},
		{"another mother took her place", nil, amendedBirth("clericalCorrection", edits{"/parentage/0/personRef": "M-2"}), dataDay, false},
		{"a mother known by name was removed for another", nameOnly, amendedBirth("parentRemoved", with(noRefs, edits{"/parentage/0/names/0/given/0": "Maya"})), dataDay, false},
		{"a mother known by name stays", nameOnly, amendedBirth("parentRemoved", noRefs), dataDay, true},
		{"the father was removed", nil, amendedBirth("parentRemoved", edits{"/parentage/1": js(`{"role":"father","status":"unknown"}`)}), dataDay, true},
		{"a court's guardian after a parent was removed", court, amendedBirth("parentRemoved", edits{"/parentage/0": nobody}), dataDay, true},
		{"adopted simply beside the mother", nil, amendedBirth("simpleAdoption", edits{"/parentage/-": js(`{"role":"parent","status":"known","filiation":"adoption","personRef":"P-3"}`)}), dataDay, true},
		// Sealed.
		{"former mother after a sealed adoption", nil, sealedBirth("plenaryAdoption", nil), dataDay, false},
		{"former mother by name after a sealed adoption", nameOnly, sealedBirth("plenaryAdoption", noRefs), dataDay, false},
		{"former guardian by a court", court, sealedBirth("plenaryAdoption", nil), dataDay, false},
		{"adoptive mother", adoptive, sealedBirth("plenaryAdoption", nil), dataDay, true},
		{"mother whose husband adopted", nil, sealedBirth("plenaryAdoption", edits{"/parentage/0/personRef": "M-1", "/parentage/0/filiation": "birth"}), dataDay, true},
		{"mother who fled with the child", nil, sealedBirth("protectionIdentity", edits{"/parentage/0/personRef": "M-1", "/parentage/0/filiation": "birth"}), dataDay, true},
		{"mother who died", nil, sealedBirth("protectionIdentity", edits{"/parentage/0/personRef": "M-1", "/parentage/0/filiation": "birth", "/parentage/0/status": "deceased"}), dataDay, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := KeepsMandate(mustGuardianship(t, tc.guardian), mustBirth(t, tc.ward), tc.now); got != tc.want {
				t.Errorf("%v", got)
			}
		})
	}
	if KeepsMandate(mustGuardianship(t, nil), nil, dataDay) {
		t.Error("a mandate without a ward stands")
	}
}
