package issuer

import (
	"context"
	"database/sql"

	"github.com/kinpass/kinpass/internal/store"
)

// history gives what the tables tell of a record, in no order.
func (s *Store) history(ctx context.Context, r row) ([]Event, error) {
	var out []Event
	read := func(query string, scan func(*sql.Rows) ([]Event, error), args ...any) error {
		rs, err := s.db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			es, err := scan(rs)
			if err != nil {
				return err
			}
			out = append(out, es...)
		}
		return rs.Err()
	}
	err := read(`SELECT act, reason, caller_name, caller_role, approver_name, at FROM status_acts WHERE record = $1`, func(rs *sql.Rows) ([]Event, error) {
		var e Event
		var at int64
		err := rs.Scan(&e.What, &e.Reason, &e.By, &e.Role, &e.Second, &at)
		e.At = store.Time(at)
		return []Event{e}, err
	}, r.ID)
	if err != nil {
		return nil, err
	}
	err = read(`SELECT kind, state, proposer_name, proposer_role, created, decider_name, decided FROM approvals WHERE record = $1`, func(rs *sql.Rows) ([]Event, error) {
		p, d := Event{What: EventProposed}, Event{What: EventApproved}
		var state string
		var created, decided int64
		if err := rs.Scan(&p.Kind, &state, &p.By, &p.Role, &created, &d.By, &decided); err != nil {
			return nil, err
		}
		p.At, d.At, d.Kind = store.Time(created), store.Time(decided), p.Kind
		switch state {
		case "pending":
			return []Event{p}, nil
		case "denied":
			d.What = EventDenied
		}
		return []Event{p, d}, nil
	}, r.ID)
	if err != nil {
		return nil, err
	}
	err = read(`SELECT version, profile, created, COUNT(*) FROM credentials WHERE record = $1 GROUP BY version, profile, created`, func(rs *sql.Rows) ([]Event, error) {
		e := Event{What: EventIssued}
		var at int64
		err := rs.Scan(&e.Version, &e.Profile, &at, &e.Count)
		e.At = store.Time(at)
		return []Event{e}, err
	}, r.ID)
	if err != nil {
		return nil, err
	}
	out = append(out, versions(out)...)
	if r.Kind != KindGuardianship {
		return out, nil
	}
	err = read(`SELECT created, redeemed FROM offers WHERE guardianship = $1`, func(rs *sql.Rows) ([]Event, error) {
		var made, redeemed int64
		if err := rs.Scan(&made, &redeemed); err != nil {
			return nil, err
		}
		es := []Event{{At: store.Time(made), What: EventOffered}}
		if redeemed > 0 {
			es = append(es, Event{At: store.Time(redeemed), What: EventRedeemed})
		}
		return es, nil
	}, r.ID)
	return out, err
}

// versions tells when each later version came into force: with its first copy.
func versions(issued []Event) []Event {
	first := map[int]Event{}
	for _, e := range issued {
		if e.What != EventIssued || e.Version < 2 {
			continue
		}
		if was, ok := first[e.Version]; !ok || e.At.Before(was.At) {
			first[e.Version] = Event{At: e.At, What: EventVersion, Version: e.Version}
		}
	}
	var out []Event
	for _, e := range first {
		out = append(out, e)
	}
	return out
}
