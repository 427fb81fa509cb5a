package registrar

import (
	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// births is registering births.
var births = part{
	nav: func(role string) []web.NavItem {
		return nil
	},
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if s.Account.Role != issuer.RoleRegistrar {
			return nil, nil
		}
		return nil, nil
	},
}
