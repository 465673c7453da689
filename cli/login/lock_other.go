//go:build (!unix && !windows) || solaris || aix

package login

// tryLock gives the lock to everybody: this system has none that ends with
// its holder.
func tryLock(string) (unlock func(), taken bool, err error) { return func() {}, false, nil }
