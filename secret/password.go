package secret

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// The classes of characters of a password. None looks like another (no 0 O o,
// 1 l I), and none means anything to a shell, to cmd.exe or to PowerShell
// within a word that begins with a letter, or needs a quote.
const (
	lower  = "abcdefghijkmnpqrstuvwxyz"
	upper  = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	digits = "23456789"
	signs  = "-_+.:@#"
)

// MinPassword is the shortest password that Password makes.
const MinPassword = 16

// Password makes a new password of n characters, but at least MinPassword,
// with characters of every class. It begins with a letter.
func Password(n int) Text {
	n = max(n, MinPassword)
	all := lower + upper + digits + signs
	for {
		b := make([]byte, n)
		b[0] = pick(lower + upper)
		for i := 1; i < n; i++ {
			b[i] = pick(all)
		}
		s := string(b)
		if strings.ContainsAny(s, lower) && strings.ContainsAny(s, upper) && strings.ContainsAny(s, digits) && strings.ContainsAny(s, signs) {
			return New(s) // drawn again until complete, so that no place prefers a class
		}
	}
}

func pick(from string) byte {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
	if err != nil {
		panic(err) // the system's random source does not fail
	}
	return from[i.Int64()]
}
