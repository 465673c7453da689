package login

import "syscall"

// detached lets a browser live on when this program, or all that was started
// with it, is ended.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
