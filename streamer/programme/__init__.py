"""The programme: feeds, scenes, slate and the mixer that makes one picture and sound of them."""
