package entra
func (c *Cloud) registerAdmin() {}
func novelty(b []byte) []byte                                                    { return b }
