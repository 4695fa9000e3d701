"""What the matrices of rights share: answers, how they are judged, and which routes there are."""
