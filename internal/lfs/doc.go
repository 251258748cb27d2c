// Package lfs carries Git LFS objects between repositories: it answers git-lfs on the asking side
// (as a custom transfer agent) and requests on the serving side, and keeps what has come in.
//
// It speaks the frames of package protocol on streams that others opened and authorised. It must not know
// what carries a stream, who the peer is or what it may do, nor which repository an object is of beyond a folder.
package lfs
