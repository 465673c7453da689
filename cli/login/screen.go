package login

import (
	"io"
	"os"
	"runtime"

	"github.com/mattn/go-isatty"
)

// screen reports where to print what a person must see at once, and whether
// there is one to see it. The AWS CLI shows what a credential_process prints
// only after it failed, so that goes to the terminal too, if there is one.
func screen(w io.Writer) (out io.Writer, seen bool, done func()) {
	f, ok := w.(*os.File)
	if !ok || isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()) {
		return w, true, func() {} // who gives another kind of writer shows it
	}
	if runtime.GOOS != "windows" {
		if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
			return io.MultiWriter(w, tty), true, func() { _ = tty.Close() }
		}
	}
	return w, false, func() {}
}
