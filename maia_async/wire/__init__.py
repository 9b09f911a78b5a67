"""What goes over the wire and what it means, without a wire: requests, classification of answers, pages, the codec. No I/O, no clock."""
