"""Made volumes: blobs, shells, plates and rods, brighter or darker than a smooth field; rules; what to beat."""
