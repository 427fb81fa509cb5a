package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newMigrate(h *home) *cobra.Command {
	return &cobra.Command{
		Use:       "migrate [issuer|wallet|verifier]...",
		Short:     "Bring database schemas up to date (default: all three)",
		Long:      "Brings the schemas up to date. It can be run again and at any time; the services do it too when they start.",
		ValidArgs: roles,
		Args:      cobra.OnlyValidArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = roles
			}
			for _, role := range args {
				db, err := h.open(c.Context(), role)
				if err != nil {
					return err
				}
				if err := db.Close(); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: up to date (%s)\n", role, db.Engine)
			}
			return nil
		},
	}
}
