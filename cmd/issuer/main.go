// Command issuer runs the issuer service: "kinpass serve issuer" under its own name.
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(append([]string{"serve", "issuer"}, os.Args[1:]...))) }
