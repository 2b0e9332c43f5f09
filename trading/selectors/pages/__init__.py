"""What single pages read beyond the lists that they share with the API: few queries each."""
