package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

// together runs a call many times at once and reports how the calls ended.
func together(n int, call func() (keep.Token, error)) (tokens map[string]int, errs []error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	tokens = map[string]int{}
	for range n {
		wg.Go(func() {
			t, err := call()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else {
				tokens[t.Text]++
			}
		})
	}
	wg.Wait()
	return tokens, errs
}

func TestTwentyCallsMakeOneSignIn(t *testing.T) {
	t.Parallel()
	j := newJitney(t)
	d := newDesk(t, j, func(link string) {
		time.Sleep(200 * time.Millisecond) // the person thinks; the others wait
		authorize(t, j)(link)
	})
	tokens, errs := together(20, func() (keep.Token, error) { return Token(t.Context(), d.Request) })
	if _, n := j.last(); errs != nil || len(tokens) != 1 || n != 1 || d.opened() != 1 {
		t.Errorf("%d tokens, %v, %d pairings, %d tabs", len(tokens), errs, n, d.opened())
	}
}

func TestOneCancelIsForAllWhoWait(t *testing.T) {
	t.Parallel()
	j := newJitney(t)
	d := newDesk(t, j, func(string) {
		time.Sleep(200 * time.Millisecond)
		p, _ := j.last()
		_, _, _ = visit(j.decide(p.id, "cancelled"), nil)
	})
	_, errs := together(10, func() (keep.Token, error) { return Token(t.Context(), d.Request) })
	if _, n := j.last(); len(errs) != 10 || n != 1 || d.opened() != 1 {
		t.Errorf("%v, %d pairings, %d tabs", errs, n, d.opened())
	}
	for _, err := range errs {
		if exit.Code(err) != exit.Refused {
			t.Error(err)
		}
	}
}

func TestThoseWhoWaitKeepToTheirBudget(t *testing.T) {
	t.Parallel()
	wait := func(budget time.Duration) error {
		j := newJitney(t)
		d := newDesk(t, j, nil)
		d.Budget = budget
		start := time.Now()
		_, errs := together(10, func() (keep.Token, error) { return Token(t.Context(), d.Request) })
		if took := time.Since(start); len(errs) != 10 || took > budget+time.Minute || d.opened() != 1 {
			return fmt.Errorf("%d gave up after %v, %d tabs", len(errs), took, d.opened())
		}
		for _, err := range errs {
			if !errors.Is(err, ErrPending) {
				return err
			}
		}
		p, _ := j.last()
		if n := strings.Count(d.screen.String(), "Another command signs in"); n < 9 || strings.Count(d.screen.String(), p.code) < 10 {
			return fmt.Errorf("%d were told what they wait for:\n%s", n, d.screen)
		}
		return nil
	}
	// They say what they wait for after a second, if the machine lets them: a
	// busy one gets more time.
	budget := 4 * time.Second
	err := wait(budget)
	for ; err != nil && budget < time.Minute; err = wait(budget) {
		t.Logf("with %v: %v", budget, err)
		budget *= 4
	}
	if err != nil {
		t.Error(err)
	}
}

// TestChild is one of many processes, not a test of its own.
func TestChild(t *testing.T) {
	host := os.Getenv("JITNEY_TEST_CHILD")
	if host == "" {
		return
	}
	got, err := Token(t.Context(), Request{Host: host, Budget: 2 * time.Minute, Env: os.Getenv,
		launch: func(_ []string, link string) error {
			time.Sleep(200 * time.Millisecond)
			res, err := http.Post(host+"/person", "text/plain", strings.NewReader(link))
			if err == nil {
				err = res.Body.Close()
			}
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("JITNEY_TEST_ANSWER"), []byte(got.Text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTwentyProcessesMakeOneSignIn(t *testing.T) {
	t.Parallel()
	j := newJitney(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
			cmd.Env = append(os.Environ(), "JITNEY_TEST_CHILD="+j.URL, "XDG_STATE_HOME="+dir, "JITNEY_KEYRING=file", "BROWSER=true",
				"JITNEY_TEST_ANSWER="+dir+"/"+string(rune('a'+i)))
			if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("jcl_")) {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
	for i := range 20 {
		data, err := os.ReadFile(dir + "/" + string(rune('a'+i)))
		if live, _ := j.knows(string(data)); err != nil || !live {
			t.Errorf("process %d: %v", i, err)
		}
	}
	_, n := j.last()
	if _, tokens := j.knows(""); n != 1 || tokens != 1 {
		t.Errorf("%d pairings, %d tokens", n, tokens)
	}
}

func TestALockThatItsHolderLeftIsFree(t *testing.T) {
	name := t.TempDir() + "/lock"
	unlock, taken, err := tryLock(name)
	if err != nil || taken {
		t.Fatal(taken, err)
	}
	if _, taken, err := tryLock(name); err != nil || !taken {
		t.Errorf("it was had twice: %v", err)
	}
	unlock()
	unlock, taken, err = tryLock(name)
	if err != nil || taken {
		t.Fatal(taken, err)
	}
	unlock()
}

func TestAJitneyThatHangsTakesNoLongerThanTheBudget(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]func(path string) bool{
		"at once":               func(string) bool { return true },
		"when asked for tokens": func(path string) bool { return strings.HasSuffix(path, "/token") },
	} {
		t.Run(name, func(t *testing.T) {
			j := newJitney(t)
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			j.answer = func(_ http.ResponseWriter, r *http.Request) bool {
				if hangs(r.URL.Path) {
					<-over
					return true
				}
				return false
			}
			d := newDesk(t, j, nil)
			d.Budget = 300 * time.Millisecond
			start := time.Now()
			_, err := Token(t.Context(), d.Request)
			if took := time.Since(start); err == nil || took > d.Budget+grace+time.Minute {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}

func TestWhoInterruptsIsNotKeptWaiting(t *testing.T) {
	j := newJitney(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := newDesk(t, j, func(string) { cancel() })
	start := time.Now()
	if _, err := Token(ctx, d.Request); !errors.Is(err, ErrPending) || time.Since(start) > d.Budget {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestNobodyIsWaitedForWhoCannotSeeTheCode(t *testing.T) {
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		_ = tty.Close()
		return // it would be printed there
	}
	j := newJitney(t)
	d := newDesk(t, j, nil)
	file, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d.Err = file
	w := &wait{attempt: &attempt{Request: d.Request}, pending: pending{Device: true}}
	ctx, cancel := w.start(t.Context())
	defer cancel()
	if at, ok := ctx.Deadline(); !ok || time.Until(at) > unseen {
		t.Errorf("it waits until %v", at)
	}
}
