package agent

import "os"

// checkDir leaves it to the access rules of the user's profile, in which the folder is.
func checkDir(dir string) error {
	_, err := os.Stat(dir)
	return err
}
