package secret

// A Place is where in the database a secret is sealed for. It opens nowhere else.
type Place struct {
	Table, Row, Column string
	Version            int64
}
