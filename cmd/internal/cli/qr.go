package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
)

func newQR() *cobra.Command {
	c := &cobra.Command{Use: "qr", Short: "Pack presentations into QR text and back"}
	pack := &cobra.Command{
		Use:   "pack FILE|-",
		Short: "vp+jwt (or the vc+jwt of a paper pass, one per line) to KP1 text",
		Long: `Packs a compact vp+jwt into KP1 text. A file with several lines, each a
vc+jwt, becomes a paper pass. What could not be unpacked to the same bytes is
refused.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readInput(c, args[0], 256<<10)
			if err != nil {
				return err
			}
			p, err := packetOf(string(b))
			if err != nil {
				return err
			}
			text, err := qr.Pack(p)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), text)
			return nil
		},
	}
	unpack := &cobra.Command{
		Use:   "unpack FILE|-",
		Short: "KP1 text, or an image of it, to the vp+jwt it was made from",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readInput(c, args[0], maxImage)
			if err != nil {
				return err
			}
			text, err := scanText(b)
			if err != nil {
				return err
			}
			p, err := qr.Unpack(text)
			if err != nil {
				return err
			}
			if p.Presentation != "" {
				fmt.Fprintln(c.OutOrStdout(), p.Presentation)
				return nil
			}
			for _, v := range p.Credentials {
				fmt.Fprintln(c.OutOrStdout(), v)
			}
			return nil
		},
	}
	var svg, png string
	var paper bool
	draw := &cobra.Command{
		Use:   "draw FILE|-",
		Short: "Draw KP1 text as a QR code: in the terminal, or to --svg or --png",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readInput(c, args[0], maxImage)
			if err != nil {
				return err
			}
			text, err := scanText(b)
			if err != nil {
				return err
			}
			if _, err := qr.Unpack(text); err != nil {
				return err
			}
			medium := qr.Screen
			if paper {
				medium = qr.Paper
			}
			img, err := qr.Draw(text, medium)
			if err != nil {
				return err
			}
			if svg != "" {
				if err := writeFile(svg, []byte(img.SVG()), 0o600); err != nil {
					return err
				}
			}
			if png != "" {
				data, err := img.PNG(6)
				if err != nil {
					return err
				}
				if err := writeFile(png, data, 0o600); err != nil {
					return err
				}
			}
			if svg == "" && png == "" {
				fmt.Fprint(c.OutOrStdout(), img.Terminal())
			}
			return nil
		},
	}
	draw.Flags().StringVar(&svg, "svg", "", "write an SVG file")
	draw.Flags().StringVar(&png, "png", "", "write a PNG file")
	draw.Flags().BoolVar(&paper, "paper", false, "keep to the limits of print (default: of a screen)")
	c.AddCommand(pack, unpack, draw)
	return c
}

// packetOf reads one vp+jwt, or several vc+jwt on lines of their own.
func packetOf(text string) (qr.Packet, error) {
	lines := strings.Fields(text)
	switch len(lines) {
	case 0:
		return qr.Packet{}, usage{errors.New("the input is empty")}
	case 1:
		if isPresentation(lines[0]) {
			return qr.Packet{Presentation: lines[0]}, nil
		}
	}
	return qr.Packet{Credentials: lines}, nil
}

// isPresentation reports whether a compact JWS says that it is a vp+jwt.
func isPresentation(jws string) bool {
	v, err := vc.SplitJWS(jws)
	return err == nil && v.Header.Typ == vc.TypPresentation
}

// maxImage bounds a photograph of a code, in bytes.
const maxImage = 24 << 20

// readInput reads a file, or standard input for "-", up to max bytes.
func readInput(c *cobra.Command, name string, max int64) ([]byte, error) {
	var r io.Reader = c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if fi, err := f.Stat(); err == nil && fi.IsDir() {
			return nil, errors.New("the input is a directory")
		}
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, errors.New("the input is too large")
	}
	return b, nil
}

// scanText gives the text of a code: of an image, or the input itself.
func scanText(b []byte) (string, error) {
	if !looksLikeImage(b) {
		return strings.TrimSpace(string(b)), nil
	}
	img, err := qr.ReadImage(b)
	if err != nil {
		return "", err
	}
	return img, nil
}

func looksLikeImage(b []byte) bool {
	for _, magic := range []string{"\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF87a", "GIF89a"} {
		if strings.HasPrefix(string(b[:min(len(b), 8)]), magic) {
			return true
		}
	}
	return false
}
