package border

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// anchor gives whom the service believes, for the check that a device carries.
// The keys are public, and a device that is not signed in asks too.
func (h routes) anchor(c echo.Context) error {
	file, err := h.AnchorFile()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "application/jwk-set+json", file)
}
