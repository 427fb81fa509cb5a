//go:build unix

package witness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
)

// TestMain runs a witness instead of the tests where TestKilled asks for it.
func TestMain(m *testing.M) {
	dir := os.Getenv("KINPASS_TEST_WITNESS")
	if dir == "" {
		os.Exit(m.Run())
	}
	w, err := Open(context.Background(), config(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	_ = w.Serve(context.Background(), l)
}

// TestKilled: somebody with the ledger's key tells a witness two histories while it
// is killed (SIGKILL) again and again. All that it ever cosigned is of one.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	histories := []*history{tell(t, "a", 30, 2000), tell(t, "b", 30, 2000)}
	var mu sync.Mutex
	var got []tlog.Checkpoint
	kills, refused := 0, 0
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	for ctx.Err() == nil && kills < 25 {
		address, kill := spawn(t, dir)
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				c, err := NewClient("http://"+address, true)
				if err != nil {
					t.Error(err)
					return
				}
				h, size, old := histories[n%2], int64(1), int64(0)
				for {
					line, err := c.Add(context.Background(), h.from(t, min(old, size), size))
					var conflict *Conflict
					mu.Lock()
					switch {
					case err == nil && len(line) > 0:
						got, old = append(got, h.checkpoint(t, size)), size
					case errors.As(err, &conflict):
						old = conflict.Size
					case errors.Is(err, ErrUnreachable):
						mu.Unlock()
						return // it was killed
					default:
						refused++
					}
					mu.Unlock()
					size = min(max(size, old)+1+rand.Int64N(3), 2000)
				}
			})
		}
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		kill()
		kills++
		wg.Wait()
	}
	t.Logf("%d kills, %d cosignatures, %d refusals", kills, len(got), refused)
	if len(got) < 10 || refused == 0 {
		t.Fatal("nothing was shown")
	}
	oneHistory(t, got, histories)
	w := open(t, dir)
	if seen := w.Ledgers(); len(seen) != 1 {
		t.Errorf("%+v", seen)
	}
}

func spawn(t *testing.T, dir string) (address string, kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "KINPASS_TEST_WITNESS="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), func() {
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
	}
}
