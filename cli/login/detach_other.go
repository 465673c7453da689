//go:build !unix && !windows

package login

import "syscall"

// detached does nothing here.
func detached() *syscall.SysProcAttr { return nil }
