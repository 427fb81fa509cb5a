// Command wallet runs the wallet service: "kinpass serve wallet" under its own name.
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/legacy/aries"
)

func main() {
	cli.Aries = aries.Verify
	os.Exit(cli.Main(append([]string{"serve", "wallet"}, os.Args[1:]...)))
}
