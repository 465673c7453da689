package signin

import "context"

// keptPrefix keeps what pages keep in a session apart from what is ours there.
const keptPrefix = "kept."

// Swap keeps value under key in the session of the visitor, until it ends, and
// reports what was kept there before. An empty value keeps nothing. Without
// anybody signed in nothing is kept.
func (d *Door) Swap(ctx context.Context, key, value string) (before string) {
	if visitOf(ctx).session.Person == "" {
		return ""
	}
	before = d.manager.GetString(ctx, keptPrefix+key)
	switch {
	case value != "":
		d.manager.Put(ctx, keptPrefix+key, value)
	case before != "":
		d.manager.Remove(ctx, keptPrefix+key)
	}
	return before
}
