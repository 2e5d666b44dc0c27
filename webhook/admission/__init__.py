"""From an AdmissionReview to an answer: the wire format, the one decide function, exemptions, failure answers."""
