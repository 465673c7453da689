//go:build unix

package login

import "syscall"

// detached lets a browser live on when this program, or all that was started
// with it, is ended.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
