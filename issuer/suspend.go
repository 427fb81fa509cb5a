package issuer

import (
	"context"

	"github.com/kinpass/kinpass/internal/fault"
)

// expireSuspensions ends the suspensions that nobody confirmed in time, so that
// the lists that are signed next say so. Nobody is told, as nobody was told of
// the suspension. What goes wrong is logged and tried again: a list that is a
// little too strict must not keep the others from being published.
func (i *Issuer) expireSuspensions(ctx context.Context) {
	n, err := i.store.expireSuspensions(ctx)
	if err != nil && ctx.Err() == nil {
		i.log.Error("suspensions not ended", "code", fault.As(err).Code)
	}
	if err := i.store.expireOverrides(ctx); err != nil && ctx.Err() == nil {
		i.log.Error("overrides not ended", "code", fault.As(err).Code)
	}
	if n > 0 {
		i.log.Info("suspensions ended that nobody confirmed", "number", n)
	}
}

// Suspensions lists the suspensions that end by themselves unless a second
// person confirms them, by kind of record and the next one first, at most 200 of
// each.
func (i *Issuer) Suspensions(ctx context.Context, c Caller) ([]Suspension, error) {
	if err := c.may(keepsRegister...); err != nil {
		return nil, err
	}
	return i.store.unconfirmed(ctx)
}
