package issuer

import (
	"context"
	"slices"
)

// Resemblance is another birth that a held one may repeat.
type Resemblance struct {
	Record
	Because string // rule of Duplicate
}

// Resembles lists the births in the register that a held birth may repeat, the
// surest first: for who decides about it. A birth that is not held resembles none.
func (i *Issuer) Resembles(ctx context.Context, c Caller, birth string) ([]Resemblance, error) {
	if err := c.may(mayRead...); err != nil {
		return nil, err
	}
	r, err := i.store.record(ctx, i.db, KindBirth, birth)
	if err != nil {
		return nil, err
	}
	if r.State != StateHeld {
		return nil, nil
	}
	b, err := readBirth(r)
	if err != nil {
		return nil, err
	}
	others, err := i.store.candidates(ctx, i.db, i.dedupKeys(b))
	if err != nil {
		return nil, err
	}
	var out []Resemblance
	for id, o := range others.births {
		if id == r.ID || o == nil {
			continue
		}
		because := Duplicate(b, o)
		if because == "" && r.Rule == DuplicatePlurality && sameDelivery(b, o) && sameMother(b, o) != stranger {
			because = DuplicatePlurality
		}
		if because == "" {
			continue
		}
		x, err := i.read(ctx, c, KindBirth, id)
		if err != nil {
			return nil, err
		}
		out = append(out, Resemblance{x, because})
	}
	slices.SortFunc(out, func(x, y Resemblance) int {
		if d := slices.Index(strongest, x.Because) - slices.Index(strongest, y.Because); d != 0 {
			return d
		}
		return x.Created.Compare(y.Created)
	})
	return out, nil
}
