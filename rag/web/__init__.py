"""What the page is made of, apart from its layout: words, safe HTML, the guard in front of the server, style and script."""
